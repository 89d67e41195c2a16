package rootbridge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"rootbridge"
)

// The program is this test's binary in another role: it holds a host, and is stopped with its worker as when a laptop sleeps.
func TestAPauseOfTheWholeMachineIsNotTakenForABlockedLoop(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROOTBRIDGE_TEST_ROLE") == "pausing" {
		playPausing()
		return
	}
	program := startPausing(t)
	worker := program.ask(t, "worker")
	send := func(pid int, signal syscall.Signal) {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Error(err)
		}
	}
	send(worker, syscall.SIGSTOP)
	time.Sleep(4 * pausingBeat) // in which the host has asked the worker whether it is alive
	send(program.pid, syscall.SIGSTOP)
	time.Sleep(pausingGrace * 3 / 2)
	send(program.pid, syscall.SIGCONT)
	if restarts := program.ask(t, "restarts"); restarts != 0 {
		t.Errorf("%d workers were replaced when the host went on", restarts)
	}
	send(worker, syscall.SIGCONT)
	if after := program.ask(t, "worker"); after != worker {
		t.Errorf("worker %d was replaced by %d", worker, after)
	}
}

const (
	pausingBeat  = 20 * time.Millisecond
	pausingGrace = time.Second
)

type pausing struct {
	pid   int
	stdin io.Writer
	lines *bufio.Scanner
}

func startPausing(t *testing.T) *pausing {
	t.Helper()
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAPauseOfTheWholeMachineIsNotTakenForABlockedLoop$")
	self.Env = append(os.Environ(), "ROOTBRIDGE_TEST_ROLE=pausing")
	self.Stderr = os.Stderr
	stdin, err := self.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = self.Wait()
	})
	return &pausing{self.Process.Pid, stdin, bufio.NewScanner(stdout)}
}

// ask has the program answer a question with a number.
func (p *pausing) ask(t *testing.T, question string) int {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, question); err != nil {
		t.Fatal(err)
	}
	for p.lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(p.lines.Text(), "answer %d", &n); err == nil {
			return n
		}
	}
	t.Fatal("the program has ended")
	return 0
}

func playPausing() {
	o := rootbridge.Options{Source: busy, Workers: 1, Heartbeat: pausingBeat, KillGrace: pausingGrace}
	onTestNode(&o)
	host, err := rootbridge.Start(context.Background(), o)
	if err != nil {
		panic(err)
	}
	defer host.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n := int(host.Stats().Restarts)
		if lines.Text() == "worker" {
			if err := host.Call(context.Background(), "pid", nil, &n); err != nil {
				panic(err)
			}
		}
		fmt.Println("answer", n) //nolint:forbidigo // the parent test reads it
	}
}
