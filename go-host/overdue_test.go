package rootbridge_test

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"rootbridge"
)

const busy = `
export const spin = () => { for (;;); };
export const spinFor = (ms) => { const end = Date.now() + ms; while (Date.now() < end); return 'spun'; };
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms, 'slept'));
export const never = () => new Promise(() => {});
export const echo = (v) => v;
export const pid = () => process.pid;
`

func TestABlockedEventLoopIsKilledAndReplaced(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace = 100 * time.Millisecond }))
	before := call[int](t, host, "pid", nil)
	var beside error
	var done sync.WaitGroup
	done.Go(func() { beside = host.Call(t.Context(), "never", nil, nil, rootbridge.WithTimeout(long)) })
	eventually(t, "the neighbour runs", func() bool { return host.Stats().InFlight == 1 })
	err := host.Call(t.Context(), "spin", nil, nil, rootbridge.WithTimeout(50*time.Millisecond))
	expectCode(t, err, rootbridge.CodeDeadlineExceeded)
	done.Wait()
	expectCode(t, beside, rootbridge.CodeWorkerCrashed, "blocked", "Options.KillGrace")
	if after := call[int](t, host, "pid", nil); after == before {
		t.Error("the same process answers")
	}
	if stats := host.Stats(); stats.Restarts != 1 || stats.Ready != 1 {
		t.Errorf("stats afterwards: %+v", stats)
	}
}

func TestABlockedWorkerDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.Workers = 2; o.KillGrace = 200 * time.Millisecond }))
	eventually(t, "both workers are ready", func() bool { return host.Stats().Ready == 2 })
	var done sync.WaitGroup
	done.Go(func() {
		err := host.Call(t.Context(), "spin", nil, nil, rootbridge.WithTimeout(300*time.Millisecond))
		expectCode(t, err, rootbridge.CodeDeadlineExceeded)
	})
	eventually(t, "one worker spins", func() bool { return host.Stats().InFlight == 1 })
	for i := range 50 {
		if got := call[int](t, host, "echo", i); got != i {
			t.Errorf("got %d", got)
		}
	}
	done.Wait()
	eventually(t, "the blocked worker was replaced", func() bool { return host.Stats().Boots == 3 })
}

func TestASlowButLiveWorkerIsNotKilledAndItsNeighboursKeepRunning(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace = 1500 * time.Millisecond }))
	before := call[int](t, host, "pid", nil)
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[string](t, host, "sleep", 3600); got != "slept" {
			t.Errorf("the neighbour got %q", got)
		}
	})
	_ = overdue(t, host, "sleep", 3500, 10*time.Millisecond)
	done.Wait()
	eventually(t, "the late answer was dropped", func() bool { return host.Stats().LateReplies == 1 })
	if after := call[int](t, host, "pid", nil); after != before {
		t.Error("the worker was replaced")
	}
}

// Many calls that each block the loop for less than the grace keep a worker busy for far longer than the grace.
func TestABusyWorkerThatGetsOnIsNotTakenForABlockedOne(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace = 1500 * time.Millisecond }))
	before := call[int](t, host, "pid", nil)
	var done sync.WaitGroup
	for range 16 {
		done.Go(func() {
			if got := call[string](t, host, "spinFor", 250); got != "spun" {
				t.Errorf("got %q", got)
			}
		})
	}
	eventually(t, "all calls are in flight", func() bool { return host.Stats().InFlight == 16 })
	err := host.Call(t.Context(), "echo", 1, nil, rootbridge.WithTimeout(10*time.Millisecond))
	expectCode(t, err, rootbridge.CodeDeadlineExceeded)
	done.Wait()
	if after := call[int](t, host, "pid", nil); after != before {
		t.Error("the worker was killed")
	}
}

func TestAWorkerCloggedByAbandonedCallsIsReplacedNewFirst(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.Concurrency = 2; o.KillGrace = 50 * time.Millisecond }))
	before := call[int](t, host, "pid", nil)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() { expectCode(t, host.Call(ctx, "never", nil, nil), rootbridge.CodeCanceled) })
	}
	eventually(t, "both run", func() bool { return host.Stats().InFlight == 2 })
	cancel()
	done.Wait()
	if after := call[int](t, host, "pid", nil); after == before {
		t.Error("the clogged worker answers")
	}
	eventually(t, "the clogged worker is gone", func() bool { return len(host.Stats().Workers) == 1 })
}

func TestALateAnswerNeverReachesAnotherCaller(t *testing.T) {
	t.Parallel()
	host := start(t, busy+`export const slowEcho = async (v) => { await sleep(v.ms); return v.id; };`)
	var done sync.WaitGroup
	for i := range 200 {
		done.Go(func() {
			timeout := time.Duration(1+i%20) * time.Millisecond
			var got int
			err := host.Call(t.Context(), "slowEcho", map[string]int{"ms": i % 23, "id": i}, &got, rootbridge.WithTimeout(timeout))
			switch {
			case err == nil && got != i:
				t.Errorf("call %d got the answer of %d", i, got)
			case err != nil && rootbridge.CodeOf(err) != rootbridge.CodeDeadlineExceeded:
				t.Error(err)
			}
		})
	}
	done.Wait()
}

func TestACallWhoseContextHasEndedIsNotRun(t *testing.T) {
	t.Parallel()
	host := start(t, `let n = 0; export const count = () => ++n;`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expectCode(t, host.Call(ctx, "count", nil, nil), rootbridge.CodeCanceled)
	if got := call[int](t, host, "count", nil); got != 1 {
		t.Errorf("the function ran %d times", got)
	}
}

func TestWithoutATimeoutOnlyTheContextBoundsACall(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.CallTimeout = -1 }))
	if got := call[string](t, host, "sleep", 50); got != "slept" {
		t.Errorf("got %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	expectCode(t, host.Call(ctx, "never", nil, nil), rootbridge.CodeDeadlineExceeded, "context")
}

// What a loop prints comes from a loop that does not turn.
func TestAnEndlessLoopThatPrintsIsKilled(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]int{"always": 0, "now and then": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := start(t, busy+`export const chat = (ms) => {
				for (;;) { console.log('y'.repeat(100)); const end = Date.now() + ms; while (Date.now() < end); }
			};`, with(func(o *rootbridge.Options) {
				o.KillGrace = 200 * time.Millisecond
				o.Logger = slog.New(slog.DiscardHandler)
			}))
			err := host.Call(t.Context(), "chat", pause, nil, rootbridge.WithTimeout(50*time.Millisecond))
			expectCode(t, err, rootbridge.CodeDeadlineExceeded)
			if got := call[int](t, host, "echo", 1, rootbridge.WithTimeout(long)); got != 1 {
				t.Errorf("got %d", got)
			}
			if s := host.Stats(); s.RestartsBy["crashed"] != 1 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestACallerThatGoesAwayCostsItsNeighboursNothing(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace = time.Second }))
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[string](t, host, "spinFor", 3000, rootbridge.WithTimeout(long)); got != "spun" {
			t.Errorf("got %q", got)
		}
	})
	eventually(t, "the neighbour runs", func() bool { return sent(host) == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	done.Go(func() { expectCode(t, host.Call(ctx, "echo", 1, nil), rootbridge.CodeCanceled) })
	eventually(t, "both are in flight", func() bool { return sent(host) == 2 })
	cancel()
	done.Wait()
	if s := host.Stats(); s.Restarts != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestALoopThatACanceledCallLeavesBlockedIsKilled(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace, o.Heartbeat = 100*time.Millisecond, -1 }))
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { expectCode(t, host.Call(ctx, "spin", nil, nil), rootbridge.CodeCanceled) })
	eventually(t, "it spins", func() bool { return sent(host) == 1 })
	cancel()
	done.Wait()
	eventually(t, "the worker was replaced", func() bool { return host.Stats().RestartsBy["crashed"] == 1 })
}

func TestCallsThatNeverReachedAStuckWorkerGoToAnother(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.KillGrace, o.Heartbeat = 100*time.Millisecond, -1 }))
	var done sync.WaitGroup
	done.Go(func() {
		err := host.Call(t.Context(), "spin", nil, nil, rootbridge.WithTimeout(2*time.Second))
		expectCode(t, err, rootbridge.CodeDeadlineExceeded)
	})
	eventually(t, "it spins", func() bool { return sent(host) == 1 })
	done.Go(func() { // fills the pipe
		err := host.Call(t.Context(), "echo", make([]byte, 8<<20), nil, rootbridge.WithTimeout(long))
		expectCode(t, err, rootbridge.CodeWorkerCrashed, "may have run")
	})
	eventually(t, "the large one is on its way", func() bool { return sent(host) == 2 })
	for i := range 3 {
		done.Go(func() {
			if got := call[int](t, host, "echo", i, rootbridge.WithTimeout(long)); got != i {
				t.Errorf("got %d", got)
			}
		})
	}
	eventually(t, "all are in flight", func() bool { return sent(host) == 5 })
	done.Wait()
}

func TestALateReplyStaysCountedOnceWhenItsWorkerLeaves(t *testing.T) {
	t.Parallel()
	host := start(t, `
		import { currentCall } from 'rootbridge';
		export const late = () => new Promise((resolve) => currentCall().signal.addEventListener('abort', () => resolve('late')));`)
	ctx, stop := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for last := uint64(0); ctx.Err() == nil; {
			got := host.Stats().LateReplies
			if got < last {
				t.Errorf("%d late replies, and %d before", got, last)
			}
			last = got
		}
	})
	for i := range uint64(5) {
		_ = overdue(t, host, "late", nil, 5*time.Millisecond)
		eventually(t, "the late answer was dropped", func() bool { return host.Stats().LateReplies == i+1 })
		if err := host.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	stop()
	looking.Wait()
	if got := host.Stats().LateReplies; got != 5 {
		t.Errorf("%d late replies are counted in the end", got)
	}
}

func TestBeyondTheQueueCallsAreRefusedAndWaitersTimeOut(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) {
		o.Concurrency, o.QueueLimit, o.QueueTimeout = 1, 1, 200*time.Millisecond
	}))
	var done sync.WaitGroup
	done.Go(func() { call[string](t, host, "sleep", 3_000) })
	eventually(t, "the worker is busy", func() bool { return host.Stats().InFlight == 1 })
	done.Go(func() {
		expectCode(t, host.Call(t.Context(), "echo", 1, nil), rootbridge.CodeQueueTimeout, "200ms", "Options.QueueTimeout")
	})
	eventually(t, "one call waits", func() bool { return host.Stats().Queued == 1 })
	expectCode(t, host.Call(t.Context(), "echo", 1, nil), rootbridge.CodeOverloaded, "1 calls", "Options.QueueLimit")
	done.Wait()
	if got := host.Stats().Failed; got[rootbridge.CodeOverloaded] != 1 || got[rootbridge.CodeQueueTimeout] != 1 {
		t.Errorf("counted %v", got)
	}
}

func TestAnEndlessTimeoutIsNoTimeoutAndAZeroOneIsOverAtOnce(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.CallTimeout = math.MaxInt64 }))
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().AddDate(500, 0, 0))
	defer cancel()
	if err := host.Call(ctx, "echo", 1, nil, rootbridge.WithTimeout(math.MaxInt64)); err != nil {
		t.Error(err)
	}
	expectCode(t, host.Call(t.Context(), "echo", 1, nil, rootbridge.WithTimeout(0)), rootbridge.CodeDeadlineExceeded, "did not run")
}
