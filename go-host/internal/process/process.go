// Package process starts worker processes and ends them, with everything they started. It knows nothing of what is said
// over their pipes.
package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// When nobody is left who should write, everything that was written is in the pipes, but a descendant that could not be found may
// keep their ends.
const (
	// drainTime is how long output is still read then, and between looks at whether stdout has been read.
	drainTime = 250 * time.Millisecond
	// drainLooks is how often there may be something left: whoever keeps an end may go on writing.
	drainLooks = 40
)

// Command says what to start.
type Command struct {
	Path string
	Args []string // without the program's name
	Env  []string // nil for this program's own; ROOTBRIDGE_WORKER is added
	Dir  string
	// Code, if not nil, is what the program reads from descriptor 3. Unix only.
	Code []byte
}

// Process is a running worker. Stdin and Stdout are its pipes; its stderr is kept by Stderr. Stdout ends with io.EOF, or with
// os.ErrClosed some time after the process has.
//
// It ends with all its descendants. On Linux these are found, in whatever session or process group, by their parents, by
// the leaders of their sessions and groups, and by ROOTBRIDGE_WORKER in the environment that they inherit. Not found is
// who has another environment, has left the worker's session and group, and whose parents ended before the worker did: to
// outlive its worker, a process must do all three. Neither is what another program starts on the worker's behalf (a
// container, a systemd unit). What runs as another user can't be killed; what hangs in the kernel is waited for only a
// short time. Where /proc does not list this program, and on other Unix systems, only the worker's process group ends
// with it, on Windows only the worker.
type Process struct {
	Stdin  *os.File
	Stdout *os.File
	Stderr *Tail

	cmd     *exec.Cmd
	tree    *tree
	killing sync.Once
	killed  chan struct{} // closed by Kill
	exited  chan struct{} // closed when the process itself has been waited for
	done    chan struct{} // closed when, besides, its descendants are gone and its stderr has been read
}

// start runs on the Spawner's goroutine.
func start(command Command, onStderr func(pid int, line []byte)) (*Process, error) {
	var opened files
	stdinR, stdinW := opened.pipe()
	stdoutR, stdoutW := opened.pipe()
	stderrR, stderrW := opened.pipe()
	cmd := exec.Command(command.Path, command.Args...) //nolint:noctx // the caller names the program; it outlives every context
	mark := newMark()
	cmd.Env, cmd.Dir = withMark(command.Env, mark), command.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdinR, stdoutW, stderrW
	cmd.SysProcAttr = attributes()
	codeW := opened.code(cmd, command.Code)
	if opened.err == nil {
		growPipe(stdinW)
		growPipe(stdoutR)
		opened.err = cmd.Start()
	}
	if opened.err != nil {
		opened.close()
		return nil, fmt.Errorf("start %s: %w", command.Path, explain(opened.err))
	}
	closeAll(opened.childs)
	if codeW != nil {
		go writeCode(codeW, command.Code)
	}
	pid := cmd.Process.Pid
	p := &Process{
		Stdin: stdinW, Stdout: stdoutR, Stderr: NewTail(func(line []byte) { onStderr(pid, line) }),
		cmd: cmd, tree: newTree(cmd, mark),
		killed: make(chan struct{}), exited: make(chan struct{}), done: make(chan struct{}),
	}
	go p.wait(stderrR)
	go p.killWhenAsked()
	return p, nil
}

// files collects descriptors while a process is being started, and the first error.
type files struct {
	ours, childs []*os.File
	err          error
}

// pipe returns a new pipe's ends, the first for reading.
func (f *files) pipe() (r, w *os.File) {
	if f.err != nil {
		return nil, nil
	}
	r, w, f.err = os.Pipe()
	if f.err != nil {
		return nil, nil
	}
	if len(f.childs) == 0 || len(f.childs) == 3 { // stdin and code are written by us, the others read
		f.ours, f.childs = append(f.ours, w), append(f.childs, r)
	} else {
		f.ours, f.childs = append(f.ours, r), append(f.childs, w)
	}
	return r, w
}

// code gives the command descriptor 3 and returns the end to write to, or nil without code.
func (f *files) code(cmd *exec.Cmd, code []byte) *os.File {
	if code == nil || f.err != nil {
		return nil
	}
	r, w := f.pipe()
	cmd.ExtraFiles = []*os.File{r}
	return w
}

func (f *files) close() {
	closeAll(f.ours)
	closeAll(f.childs)
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}

// explain says what to do about an error whose cause is a limit of the system.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w: this program has as many files and pipes open as it may (ulimit -n)", err)
	case errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: this machine has as many files and pipes open as it can (fs.file-max)", err)
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("%w: as many processes and threads run as may (ulimit -u of the user, pids.max of the container)", err)
	}
	return err
}

// writeCode ends at the latest when the process, the only reader, has ended.
func writeCode(w *os.File, code []byte) {
	_, _ = w.Write(code)
	_ = w.Close()
}

// wait reads stderr to its end, reaps the process, and ends what it left.
func (p *Process) wait(stderr *os.File) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(p.Stderr, stderr)
		p.Stderr.Flush()
	}()
	p.tree.await()
	close(p.exited)
	time.AfterFunc(drainTime, func() { p.closeOutput(drainLooks) }) // the process alone has something to say there
	p.tree.clear()
	time.AfterFunc(drainTime, func() { _ = stderr.Close() })
	<-copied
	_ = stderr.Close()
	close(p.done)
}

// closeOutput closes stdout once all of it has been read: a reader that is late must not lose the last answers.
func (p *Process) closeOutput(looks int) {
	if looks > 1 && hasUnread(p.Stdout) {
		time.AfterFunc(drainTime, func() { p.closeOutput(looks - 1) })
		return
	}
	_ = p.Stdout.Close()
}

func (p *Process) killWhenAsked() {
	select {
	case <-p.killed:
		p.tree.kill()
	case <-p.done:
	}
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process itself has ended. Its output may still be unread.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Done is closed when, besides, nothing is left of its descendants and its stderr has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit describes how the process ended: "exit status 1", "signal: killed". It may be called after Exited is closed.
func (p *Process) Exit() string { return p.cmd.ProcessState.String() }

// ExitCode is the exit code, or -1 if a signal ended the process. It may be called after Exited is closed.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// EndedBy tells whether a signal, sent by whomever, ended the process. It may be called after Exited is closed. On Windows
// no signal does.
func (p *Process) EndedBy(signal os.Signal) bool {
	if p.cmd.ProcessState == nil { // somebody else has waited for it
		return false
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && os.Signal(status.Signal()) == signal
}

// RSS is the memory that the process itself has in RAM, in bytes. ok is false when it has ended, and on other systems than
// Linux.
func (p *Process) RSS() (bytes int64, ok bool) { return p.tree.rss() }

// Stopped tells whether SIGSTOP, or a debugger, has stopped the process. On other systems than Linux that is not known, and
// the answer false.
func (p *Process) Stopped() bool { return p.tree.stopped() }

// ReapOrphans reaps descendants that have ended and whose parent ended before: where this program is PID 1 of a container,
// or a subreaper, they become its children and stay zombies until it waits for them. It is meant to be called every few
// seconds while the process runs, does nothing in any other program, and never touches children that the program started
// elsewhere. A descendant that left the process group and session, and that began and ended between two calls, is not
// recognized: a container that starts many of those needs an init process (docker run --init).
func (p *Process) ReapOrphans() { p.tree.reapOrphans() }

// Kill ends the process and its descendants, and does not wait for that.
func (p *Process) Kill() { p.killing.Do(func() { close(p.killed) }) }

// Stop closes the process's stdin and does what AwaitEnd does.
func (p *Process) Stop(grace time.Duration) {
	_ = p.Stdin.Close()
	p.AwaitEnd(grace)
}

// AwaitEnd ends a process that was told to end, and its descendants, and returns when they are gone. If it has not ended
// after grace, it asks all of them to terminate, and kills those that are left after another grace. What a process leaves that
// ends by itself is killed at once.
func (p *Process) AwaitEnd(grace time.Duration) {
	if !p.ExitsWithin(grace) {
		p.tree.terminate(grace)
		if !p.ExitsWithin(grace) {
			p.Kill()
		}
	}
	<-p.done
}

// ExitsWithin waits for the process itself to end, and tells whether it did in time.
func (p *Process) ExitsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// Discard closes both pipes.
func (p *Process) Discard() {
	_ = p.Stdin.Close()
	_ = p.Stdout.Close()
}
