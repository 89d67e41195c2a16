package rootbridge_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	program := startProgram(t, "pausing")
	worker := program.ask(t, "worker")
	send := func(pid int, signal syscall.Signal) {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Error(err)
		}
	}
	send(worker, syscall.SIGSTOP)
	time.Sleep(4 * pausingBeat) // in which the host has asked the worker whether it is alive
	program.stop(t)
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

// program is this test's binary in another role. It answers questions on its stdin.
type program struct {
	pid   int
	stdin io.Writer
	lines *bufio.Scanner
}

func startProgram(t *testing.T, role string, env ...string) *program {
	t.Helper()
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	self.Env = append(os.Environ(), "ROOTBRIDGE_TEST_ROLE="+role)
	self.Env = append(self.Env, env...)
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
	return &program{self.Process.Pid, stdin, bufio.NewScanner(stdout)}
}

// ask has the program answer a question with a number.
func (p *program) ask(t *testing.T, question string) int {
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

// stop returns when no thread of the program runs any more, which on a busy machine is some time after the signal.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the program has stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.pid))
		return err == nil && len(threads) > 0 && !slices.ContainsFunc(threads, func(thread string) bool {
			stat, err := os.ReadFile(thread)
			return err == nil && !strings.Contains(string(stat), ") T ")
		})
	})
}

func playPausing() {
	host := startProgramsHost(rootbridge.Options{Source: busy, Heartbeat: pausingBeat, KillGrace: pausingGrace})
	defer host.Close()
	answer(func(question string) (n int) {
		if question == "worker" {
			if err := host.Call(context.Background(), "pid", nil, &n); err != nil {
				panic(err)
			}
			return n
		}
		return int(host.Stats().Restarts)
	})
}

func startProgramsHost(o rootbridge.Options) *rootbridge.Host {
	o.Workers = 1
	onTestNode(&o)
	host, err := rootbridge.Start(context.Background(), o)
	if err != nil {
		panic(err)
	}
	return host
}

// answer answers questions until stdin ends.
func answer(to func(question string) int) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("answer", to(lines.Text())) //nolint:forbidigo // the parent test reads it
	}
}

// The program is stopped while calls wait, a place becomes free meanwhile, and their time passes.
func TestACallWhoseTimePassesWhileItWaitsNeverRuns(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROOTBRIDGE_TEST_ROLE") == "queueing" {
		playQueueing()
		return
	}
	release := filepath.Join(t.TempDir(), "release")
	program := startProgram(t, "queueing", "ROOTBRIDGE_TEST_RELEASE="+release)
	for program.ask(t, "queued") < waiters {
	}
	program.stop(t)
	writeFile(t, filepath.Dir(release), filepath.Base(release), "")
	time.Sleep(2 * waitersTime)
	_ = syscall.Kill(program.pid, syscall.SIGCONT)
	if ran := program.ask(t, "ran"); ran != 0 {
		t.Errorf("%d calls ran after their time", ran)
	}
}

const (
	waiters     = 20
	waitersTime = 500 * time.Millisecond
)

func playQueueing() {
	host := startProgramsHost(rootbridge.Options{Concurrency: 1, Source: `
		import { existsSync } from 'node:fs';
		let ran = 0;
		export const hold = (path) => new Promise((r) => { const clock = setInterval(() => { if (existsSync(path)) { clearInterval(clock); r(); } }, 5); });
		export const run = () => ++ran;
		export const count = () => ran;`})
	defer host.Close()
	var calling sync.WaitGroup
	calling.Go(func() { _ = host.Call(context.Background(), "hold", os.Getenv("ROOTBRIDGE_TEST_RELEASE"), nil) })
	for host.Stats().InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	var ended atomic.Int64
	for range waiters {
		calling.Go(func() {
			defer ended.Add(1)
			err := host.Call(context.Background(), "run", nil, nil, rootbridge.WithTimeout(waitersTime))
			if err != nil && !errors.Is(err, rootbridge.CodeDeadlineExceeded) {
				panic(err)
			}
		})
	}
	answer(func(question string) (n int) {
		if question == "queued" {
			return host.Stats().Queued + int(ended.Load())
		}
		calling.Wait()
		if err := host.Call(context.Background(), "count", nil, &n); err != nil {
			panic(err)
		}
		return n
	})
}
