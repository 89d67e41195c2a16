package rootbridge_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"rootbridge"
)

// Not in parallel with others: what the whole program allocates is counted. With the race detector a sync.Pool forgets a
// quarter of what it is given, which makes somewhat more than one allocation for each wait, of six. That there is none without
// it shows in the benchmark's guard.
func TestCallsThatWaitAllocateHardlyMoreThanThoseThatFindAPlace(t *testing.T) {
	const callers = 64
	waiting, placed := allocations(t, callers, 1), allocations(t, callers, callers)
	if waiting-placed > 2 {
		t.Errorf("%.2f allocations for each call that waits, %.2f for each that finds a place", waiting, placed)
	}
}

// allocations returns how many there are for each call when so many callers share so many places.
func allocations(t *testing.T, callers, places int) float64 {
	t.Helper()
	const calls = 50 // of each caller
	host := start(t, `export const echo = async (v) => v;`, with(func(o *rootbridge.Options) { o.Concurrency = places }))
	in := small{strings.Repeat("x", 40), strings.Repeat("y", 40)}
	round := func() {
		var done sync.WaitGroup
		for range callers {
			done.Go(func() {
				for range calls {
					call[small](t, host, "echo", in)
				}
			})
		}
		done.Wait()
	}
	round() // which makes what later ones use again
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	round()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(callers*calls)
}
