// Package process starts worker processes and ends them, with everything they started. It knows nothing of what is said
// over their pipes.
package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// drainTime is how long, after a process has ended, its output is still read. Everything that it wrote itself is in the
// pipes by then; only a descendant that kept their ends can make the wait this long.
const drainTime = 250 * time.Millisecond

// Command says what to start.
type Command struct {
	Path string
	Args []string // without the program's name
	Env  []string
	Dir  string
	// Code, if not nil, is what the program reads from descriptor 3. Unix only.
	Code []byte
}

// Process is a running worker. Stdin and Stdout are its pipes; its stderr is kept by Stderr.
type Process struct {
	Stdin  *os.File
	Stdout *os.File
	Stderr *Tail

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has been waited for
	done   chan struct{} // closed when, besides, its stderr has been read
}

// start runs on the Spawner's goroutine.
func start(command Command, onStderr func(pid int, line []byte)) (*Process, error) {
	var opened files
	stdinR, stdinW := opened.pipe()
	stdoutR, stdoutW := opened.pipe()
	stderrR, stderrW := opened.pipe()
	cmd := exec.Command(command.Path, command.Args...) //nolint:noctx // the caller names the program; it outlives every context
	cmd.Env, cmd.Dir = command.Env, command.Dir
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
		return nil, fmt.Errorf("start %s: %w", command.Path, opened.err)
	}
	closeAll(opened.childs)
	if codeW != nil {
		go writeCode(codeW, command.Code)
	}
	pid := cmd.Process.Pid
	p := &Process{
		Stdin: stdinW, Stdout: stdoutR, Stderr: NewTail(func(line []byte) { onStderr(pid, line) }),
		cmd: cmd, exited: make(chan struct{}), done: make(chan struct{}),
	}
	go p.wait(stderrR)
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

// writeCode ends at the latest when the process, the only reader, has ended.
func writeCode(w *os.File, code []byte) {
	_, _ = w.Write(code)
	_ = w.Close()
}

// wait reads stderr to its end, ends what the process left in its group, and reaps it.
func (p *Process) wait(stderr *os.File) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(p.Stderr, stderr)
		p.Stderr.Flush()
	}()
	reap(p.cmd)
	close(p.exited)
	time.AfterFunc(drainTime, func() { closeAll([]*os.File{stderr, p.Stdout}) })
	<-copied
	_ = stderr.Close()
	close(p.done)
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process itself has ended. Its output may still be unread.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Done is closed when the process has ended and its stderr has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit describes how the process ended: "exit status 1", "signal: killed". It may be called after Exited is closed.
func (p *Process) Exit() string { return p.cmd.ProcessState.String() }

// ExitCode is the exit code, or -1 if a signal ended the process. It may be called after Exited is closed.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Kill ends the process and its process group at once.
func (p *Process) Kill() { p.signal(kill) }

// Stop ends the process: it closes its stdin, asks it to terminate after grace, kills it after another grace, and returns
// when it has been waited for.
func (p *Process) Stop(grace time.Duration) {
	_ = p.Stdin.Close()
	if !p.ExitsWithin(grace) {
		p.signal(terminate)
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

func (p *Process) signal(send func(*os.Process) error) {
	select {
	case <-p.exited: // its id may belong to another by now
	default:
		_ = send(p.cmd.Process)
	}
}

// Discard closes both pipes.
func (p *Process) Discard() {
	_ = p.Stdin.Close()
	_ = p.Stdout.Close()
}
