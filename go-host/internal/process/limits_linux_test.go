package process_test

import (
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootbridge/internal/process"
)

func TestAStartThatRunsOutOfDescriptorsSaysSoAndLeavesNone(t *testing.T) {
	t.Parallel()
	if !runsAs(t, fewFiles) {
		return
	}
	spawner := process.NewSpawner()
	defer spawner.Close()
	command := process.Command{Path: "/bin/sh", Args: []string{"-c", "cat <&3"}, Code: []byte("exit")}
	startAndEnd := func() error {
		p, err := spawner.Start(command, discard)
		if err != nil {
			return err
		}
		p.Kill()
		<-p.Done()
		p.Discard()
		return nil
	}
	if err := startAndEnd(); err != nil { // so that what the runtime opens is open
		t.Fatal(err)
	}
	before := openDescriptors(t)
	failures := 0
	for more := 0; ; more++ { // so that each step fails once
		err := withLimit(t, syscall.RLIMIT_NOFILE, before+more, startAndEnd)
		now := openDescriptors(t)
		for deadline := time.Now().Add(10 * time.Second); now != before && time.Now().Before(deadline); now = openDescriptors(t) {
			time.Sleep(time.Millisecond) // what has ended is being closed
		}
		if now != before {
			t.Fatalf("with room for %d more descriptors, %d are open afterwards, %d were before", more, now, before)
		}
		if err == nil {
			break
		}
		failures++
		if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "ulimit -n") || !strings.Contains(err.Error(), "/bin/sh") {
			t.Errorf("with room for %d more descriptors: %v", more, err)
		}
	}
	if failures < 8 { // four pipes
		t.Errorf("only %d starts failed", failures)
	}
	expectNoChild(t)
}

func TestAProgramThatHasRunOutOfDescriptorsStillEndsDetachedDescendants(t *testing.T) {
	t.Parallel()
	if !runsAs(t, fewFiles) {
		return
	}
	p := shell(t, descendants["a detached child that ignores TERM"]+" read end")
	child := readPIDs(t, p)[0]
	err := withLimit(t, syscall.RLIMIT_NOFILE, openDescriptors(t), func() error {
		p.Kill()
		<-p.Done()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	expectGone(t, child)
}

func TestAStartThatRunsOutOfProcessesSaysSoAndLeavesNoDescriptor(t *testing.T) {
	t.Parallel()
	if !runsAs(t, anotherUser) {
		return
	}
	debug.SetGCPercent(-1) // a new thread would count too
	spawner := process.NewSpawner()
	defer spawner.Close()
	start := func() error {
		p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", ":"}}, discard)
		if err == nil {
			<-p.Done()
			p.Discard()
		}
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	before := openDescriptors(t)
	err := withLimit(t, rlimitProcesses, 0, start)
	if !errors.Is(err, syscall.EAGAIN) || !strings.Contains(err.Error(), "ulimit -u") || !strings.Contains(err.Error(), "/bin/sh") {
		t.Errorf("got %v", err)
	}
	if now := openDescriptors(t); now != before {
		t.Errorf("%d descriptors are open afterwards, %d were before", now, before)
	}
}

// The environments of other users' processes can't be read.
func TestAnUnprivilegedProgramFindsItsDescendantsAmongThoseOfOthers(t *testing.T) {
	t.Parallel()
	if !runsAs(t, anotherUser) {
		return
	}
	p := shell(t, descendants["a grandchild, detached twice, without parents"]+"\nread end")
	child := readPIDs(t, p)[0]
	p.Kill()
	<-p.Done()
	expectGone(t, child)
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(descriptors) - 1 // the folder's own
}

const rlimitProcesses = 6 // RLIMIT_NPROC

// withLimit lowers a limit of this process while run runs.
func withLimit(t *testing.T, resource, limit int, run func() error) error {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(resource, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: uint64(limit), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err := run()
	if err := syscall.Setrlimit(resource, &old); err != nil {
		t.Fatal(err)
	}
	return err
}
