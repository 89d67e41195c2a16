package process

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestASignalGoesToTheProcessAndNotToALaterOneOfItsNumber(t *testing.T) {
	t.Parallel()
	cmd := startSleep(t)
	e := entryOf(t, cmd)
	earlier := e
	earlier.start--
	earlier.signal(syscall.SIGKILL)
	earlier.signal(syscall.SIGTERM)
	e.signal(syscall.SIGQUIT)
	_ = cmd.Wait()
	if status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGQUIT {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
	e.signal(syscall.SIGKILL) // nobody's
}

func TestAMarkIsFoundWhereverItIsInTheEnvironment(t *testing.T) {
	t.Parallel()
	mark := newMark()
	cmd := startSleep(t, "BEFORE="+strings.Repeat("x", 1000), "ROOTBRIDGE_WORKER="+mark, "AFTER="+strings.Repeat("y", 1000))
	e := entryOf(t, cmd)
	for size := len(mark) + 1; size < 3*len(mark); size++ { // pieces that begin and end in all places of the mark
		if has, missed := e.hasMark([]byte(mark), make([]byte, size)); !has || missed != sure {
			t.Errorf("read in pieces of %d bytes: %v, doubt %d", size, has, missed)
		}
		if has, missed := e.hasMark([]byte(newMark()), make([]byte, size)); has || missed != sure {
			t.Errorf("another mark, read in pieces of %d bytes: %v, doubt %d", size, has, missed)
		}
	}
}

func TestAProcessWithoutAnEnvironmentIsInDoubtOnlyWhileItRuns(t *testing.T) {
	t.Parallel()
	asleep := exec.Command("sleep", "1000")
	busy := exec.Command("sh", "-c", "while :; do :; done")
	for _, cmd := range []*exec.Cmd{asleep, busy} {
		cmd.Env = []string{}
		run(t, cmd)
	}
	awaitState(t, asleep, 'S')
	e := entryOf(t, asleep)
	if has, missed := e.hasMark([]byte(newMark()), make([]byte, 100)); has || missed != sure {
		t.Errorf("asleep: %v, doubt %d", has, missed)
	}
	e = entryOf(t, busy)
	if has, missed := e.hasMark([]byte(newMark()), make([]byte, 100)); has || missed != starting {
		t.Errorf("busy: %v, doubt %d", has, missed)
	}
}

func TestAnEnvironmentHasTheMarksOfAllWorkersAroundIt(t *testing.T) {
	t.Setenv(markVariable, "outer")
	for _, env := range [][]string{nil, {}, {"A=1", markVariable + "=outer"}} {
		got := withMark(env, "inner")
		if last := got[len(got)-1]; last != markVariable+"=outer,inner" {
			t.Errorf("with %q the last variable is %q", env, last)
		}
	}
}

func TestARelativeIsYoungerThanTheMemberItIsRelatedTo(t *testing.T) {
	t.Parallel()
	table := []entry{
		{pid: 20, parent: 1, group: 20, session: 5, start: 100},
		{pid: 21, parent: 20, group: 20, session: 5, start: 100},
		{pid: 23, parent: 22, group: 23, session: 23, start: 101}, // before its parent in the table
		{pid: 22, parent: 21, group: 22, session: 22, start: 101},
		{pid: 24, parent: 1, group: 24, session: 23, start: 150},
		{pid: 25, parent: 1, group: 22, session: 5, start: 150},
		{pid: 30, parent: 20, group: 5, session: 5, start: 99}, // its parent was another, of the same number
		{pid: 31, parent: 1, group: 5, session: 5, start: 200},
		{pid: 32, parent: 31, group: 32, session: 32, start: 201},
	}
	f := family{rest: table, starts: map[int]int64{}}
	f.admit(func(e *entry) bool { return e.pid == 20 })
	f.admitRelatives()
	if len(f.members) != 6 || len(f.rest) != 3 || f.rest[0].pid != 30 {
		t.Errorf("the members are %+v, not %+v", f.members, f.rest)
	}
}

func startSleep(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Env = append([]string{"PATH=/"}, env...)
	run(t, cmd)
	return cmd
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
}

func entryOf(t *testing.T, cmd *exec.Cmd) entry {
	t.Helper()
	e, err := readEntry(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func awaitState(t *testing.T, cmd *exec.Cmd, state byte) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); entryOf(t, cmd).state != state; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not get into the state %c", state)
		}
	}
}
