//go:build unix

package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rootbridge/internal/process"
)

// grace is far longer than any of these processes needs.
const grace = 20 * time.Second

func TestAProcessSeesTheEndOfItsStdinAndIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := shell(t, `cat; echo done >&2`)
	if _, err := p.Stdin.WriteString("through and back"); err != nil {
		t.Fatal(err)
	}
	output := make(chan string)
	go func() { output <- readOutput(t, p) }()
	p.Stop(grace)
	if got := <-output; got != "through and back" {
		t.Errorf("its output was %q", got)
	}
	if p.ExitCode() != 0 || p.Stderr.String() != "done" {
		t.Errorf("ended with %s, stderr %q", p.Exit(), p.Stderr)
	}
}

func TestAReaderThatIsLateGetsAllThatAnEndedProcessHasWritten(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems can't say whether a pipe has been read")
	}
	t.Parallel()
	p := shell(t, `echo last words`)
	<-p.Exited()
	time.Sleep(time.Second) // longer than output is read of which nothing is known
	if got := readOutput(t, p); got != "last words\n" {
		t.Errorf("got %q", got)
	}
}

func TestAProcessThatIgnoresTheEndOfStdinAndTermIsKilled(t *testing.T) {
	t.Parallel()
	p := shell(t, `trap '' TERM; echo ready; while :; do sleep 1; done`)
	readLine(t, p)
	p.Stop(50 * time.Millisecond)
	if got := p.Exit(); got != "signal: killed" {
		t.Errorf("ended with %s", got)
	}
}

func TestTheProcessGroupEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	p := shell(t, `sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' </dev/null & wait`)
	child, err := strconv.Atoi(readLine(t, p))
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	<-p.Done()
	awaitGone(t, child)
}

func TestAChildThatOutlivesTheProcessEndsWithIt(t *testing.T) {
	t.Parallel()
	p := shell(t, `sh -c 'echo $$; exec sleep 1000' </dev/null & read line; exit 3`)
	child, err := strconv.Atoi(readLine(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stdin.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if p.ExitCode() != 3 {
		t.Errorf("ended with %s", p.Exit())
	}
	awaitGone(t, child)
}

func TestStderrIsHandedOnLineByLineAndItsEndKept(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	spawner := process.NewSpawner()
	defer spawner.Close()
	p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", `
		printf 'one\ntwo\r\n\nthree \377 four' >&2; i=0; while [ $i -lt 300 ]; do printf '%0100d' 7 >&2; i=$((i+1)); done; printf '\nlast' >&2`}},
		func(_ int, line []byte) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, string(line))
		})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	p.Discard()
	if lines[0] != "one" || lines[1] != "two" || !strings.HasPrefix(lines[2], "three \xff four") || lines[len(lines)-1] != "last" {
		t.Errorf("got the lines %q", lines)
	}
	for _, line := range lines {
		if len(line) > 8<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if got := p.Stderr.String(); len(got) > 8<<10 || !strings.HasSuffix(got, "7\nlast") {
		t.Errorf("kept %d bytes that end in %q", len(got), got[max(0, len(got)-10):])
	}
}

func TestCodeIsHandedOverOnDescriptor3(t *testing.T) {
	t.Parallel()
	spawner := process.NewSpawner()
	defer spawner.Close()
	code := bytes.Repeat([]byte("0123456789"), 100_000)
	p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", "cat <&3"}, Code: code}, discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := readOutput(t, p); got != string(code) {
		t.Errorf("read %d bytes", len(got))
	}
	<-p.Done()
	p.Discard()
}

func TestAProcessTellsWhichSignalEndedIt(t *testing.T) {
	t.Parallel()
	cases := map[string][]os.Signal{ // the signals that end it
		"kill -KILL $$": {syscall.SIGKILL},
		"kill -TERM $$": {syscall.SIGTERM},
		"exit 137":      nil,
	}
	for script, signals := range cases {
		p := shell(t, script)
		<-p.Exited()
		for _, signal := range []os.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			if p.EndedBy(signal) != slices.Contains(signals, signal) {
				t.Errorf("%s: ended by %v is %v", script, signal, p.EndedBy(signal))
			}
		}
	}
}

func TestAMissingProgramIsAnError(t *testing.T) {
	t.Parallel()
	spawner := process.NewSpawner()
	defer spawner.Close()
	_, err := spawner.Start(process.Command{Path: "/nonexistent/program"}, discard)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/program") {
		t.Errorf("got %v", err)
	}
}

func shell(t *testing.T, script string) *process.Process {
	t.Helper()
	spawner := process.NewSpawner()
	p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ()}, discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		p.Discard()
		spawner.Close()
	})
	return p
}

func discard(int, []byte) {}

// readOutput reads to the end of stdout, which may be closed between its last bytes and its end.
func readOutput(t *testing.T, p *process.Process) string {
	t.Helper()
	b, err := io.ReadAll(p.Stdout)
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	return string(b)
}

func readLine(t *testing.T, p *process.Process) string {
	t.Helper()
	var line string
	if _, err := fmt.Fscanln(p.Stdout, &line); err != nil {
		t.Fatal(err)
	}
	return line
}

// awaitGone waits until no process has the id, zombies of others' aside.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil || isZombie(pid) {
			return
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("process %d is still there", pid)
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
