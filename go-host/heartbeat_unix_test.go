//go:build unix

package rootbridge_test

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rootbridge"
)

func TestALoopThatIsBlockedByCallsWithTimeLeftOnlyGetsNoMoreOfThem(t *testing.T) {
	t.Parallel()
	var logged records
	host := start(t, busy, quick, logged.logTo, with(func(o *rootbridge.Options) { o.Workers, o.KillGrace = 2, time.Second }))
	eventually(t, "both workers are ready", func() bool { return host.Stats().Ready == 2 })
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[string](t, host, "spinFor", 4000); got != "spun" {
			t.Errorf("got %q", got)
		}
	})
	eventually(t, "the blocked worker takes no calls", func() bool { return host.Stats().Suspect == 1 })
	for i := range 20 {
		if got := call[int](t, host, "echo", i); got != i {
			t.Errorf("got %d", got)
		}
	}
	done.Wait()
	eventually(t, "it takes calls again", func() bool { return host.Stats().Ready == 2 })
	if s := host.Stats(); s.Restarts != 0 {
		t.Errorf("a worker was replaced: %+v", s)
	}
	if n := strings.Count(logged.String(), "event loop is blocked"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
}

// Code that no call runs may block the loop for as long as a call may take: a cache that is filled, say.
func TestALoopThatIsBlockedByNoCallIsKilledAfterTheTimeOfACall(t *testing.T) {
	t.Parallel()
	host := start(t, busy+`
		export const fill = (ms) => { setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms), 10); };`,
		quick, with(func(o *rootbridge.Options) { o.KillGrace, o.CallTimeout = 100*time.Millisecond, 4*time.Second }))
	call[any](t, host, "fill", 2000)
	eventually(t, "the worker takes no calls", func() bool { return host.Stats().Suspect == 1 })
	eventually(t, "it takes calls again", func() bool { return host.Stats().Ready == 1 })
	if s := host.Stats(); s.Restarts != 0 {
		t.Errorf("stats: %+v", s)
	}
	call[any](t, host, "fill", 3_600_000)
	eventually(t, "the worker was replaced", func() bool { return host.Stats().RestartsBy["crashed"] == 1 })
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestAWorkerThatIsStoppedForAMomentLosesNoCall(t *testing.T) {
	t.Parallel()
	host := start(t, busy, quick, with(func(o *rootbridge.Options) { o.KillGrace = long }))
	pid := call[int](t, host, "pid", nil)
	var done sync.WaitGroup
	done.Go(func() { call[string](t, host, "sleep", 1_500) })
	eventually(t, "the call runs", func() bool { return host.Stats().InFlight == 1 })
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	done.Go(func() { call[int](t, host, "echo", 1) })
	eventually(t, "a call waits in it", func() bool { return host.Stats().InFlight == 2 })
	_ = syscall.Kill(pid, syscall.SIGCONT)
	done.Wait()
	if after := call[int](t, host, "pid", nil); after != pid {
		t.Error("the worker was replaced")
	}
}

func TestAWorkerThatStaysStoppedIsReplacedAndMayStillFinishItsCalls(t *testing.T) {
	t.Parallel()
	host := start(t, busy, quick, with(func(o *rootbridge.Options) { o.KillGrace, o.DrainTimeout = 100*time.Millisecond, long }))
	pid := call[int](t, host, "pid", nil)
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[string](t, host, "sleep", 1_500); got != "slept" {
			t.Errorf("got %q", got)
		}
	})
	eventually(t, "the call runs", func() bool { return host.Stats().InFlight == 1 })
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	eventually(t, "it has a successor", func() bool { return host.Stats().RestartsBy["stopped"] == 1 && host.Stats().Ready == 1 })
	if after := call[int](t, host, "pid", nil); after == pid {
		t.Error("the stopped worker answers")
	}
	_ = syscall.Kill(pid, syscall.SIGCONT)
	done.Wait()
	if s := host.Stats(); len(s.Failed) != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestAStoppedWorkerDoesNotHoldUpAClose(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace = 100 * time.Millisecond }))
	_ = syscall.Kill(call[int](t, host, "pid", nil), syscall.SIGSTOP)
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}
