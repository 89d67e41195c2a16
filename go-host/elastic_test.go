package rootbridge_test

import (
	"sync"
	"testing"
	"time"

	"rootbridge"
)

func elastic(o *rootbridge.Options) {
	quick(o)
	o.Workers, o.MinWorkers, o.Concurrency, o.MaxIdleTime = 3, 1, 2, time.Second
}

func TestTheNumberOfWorkersGoesByLoadAndBackAfterIdleness(t *testing.T) {
	t.Parallel()
	host := start(t, busy, elastic)
	if s := host.Stats(); s.Wanted != 1 || s.Ready != 1 {
		t.Errorf("it starts with %+v", s)
	}
	var done sync.WaitGroup
	for range 6 {
		done.Go(func() {
			if got := call[string](t, host, "sleep", 1500); got != "slept" {
				t.Errorf("got %q", got)
			}
		})
	}
	eventually(t, "three workers run", func() bool { s := host.Stats(); return s.Ready == 3 && s.InFlight == 6 })
	done.Wait()
	eventually(t, "one worker is left", func() bool { return len(host.Stats().Workers) == 1 })
	if s := host.Stats(); s.Restarts != s.RestartsBy["idle"] || s.Succeeded != 6 {
		t.Errorf("stats: %+v", s)
	}
}

func TestABusyEventLoopAsksForAnotherWorkerBeforeCallsWait(t *testing.T) {
	t.Parallel()
	host := start(t, busy, elastic, with(func(o *rootbridge.Options) { o.Concurrency = 16 }))
	var done sync.WaitGroup
	done.Go(func() {
		for range 20 {
			call[string](t, host, "spinFor", 50)
		}
	})
	eventually(t, "two workers run", func() bool { return host.Stats().Ready == 2 })
	done.Wait()
}

func TestWithoutAMinimumTheFirstCallWaitsForItsWorker(t *testing.T) {
	t.Parallel()
	host := start(t, busy, elastic, with(func(o *rootbridge.Options) { o.MinWorkers = -1 }))
	if s := host.Stats(); s.Boots+uint64(s.Starting) != 0 || host.Ready() != nil {
		t.Errorf("it starts with %+v, ready: %v", s, host.Ready())
	}
	for range 2 {
		if got := call[int](t, host, "echo", 1); got != 1 {
			t.Errorf("got %d", got)
		}
		eventually(t, "none is left", func() bool { return len(host.Stats().Workers) == 0 })
	}
	if s := host.Stats(); s.Boots < 2 || s.Succeeded != 2 {
		t.Errorf("stats: %+v", s)
	}
}

func TestWithoutAMinimumCodeThatDoesNotLoadFailsItsCallsAndHeals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", "throw new Error('not yet deployed');")
	host := start(t, entry, elastic, with(func(o *rootbridge.Options) { o.MinWorkers = -1 }))
	err := host.Call(t.Context(), "pid", nil, nil)
	expectCode(t, err, rootbridge.CodeWorkerUnavailable, "not yet deployed")
	writeFile(t, dir, "index.js", versioned(1))
	eventually(t, "a later call is answered", func() bool { return host.Call(t.Context(), "pid", nil, nil) == nil })
}

func TestWithoutHeartbeatsThereAreFewerWorkersAfterIdlenessToo(t *testing.T) {
	t.Parallel()
	host := start(t, busy, elastic, with(func(o *rootbridge.Options) { o.Heartbeat = -1 }))
	var done sync.WaitGroup
	for range 6 {
		done.Go(func() { call[string](t, host, "sleep", 2_000) })
	}
	eventually(t, "there are more workers", func() bool { return host.Stats().Ready > 1 })
	done.Wait()
	eventually(t, "one worker is left", func() bool { return len(host.Stats().Workers) == 1 })
}
