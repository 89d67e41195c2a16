package pool_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"rootbridge/internal/pool"
)

// Not in parallel with others: what the whole program allocates is counted. With the race detector a sync.Pool forgets a
// quarter of what it is given, which makes somewhat more than one allocation for each wait, of six. That there is none without
// it shows in the benchmark's guard.
func TestWaitersAreUsedAgain(t *testing.T) {
	const turns = 5_000 // of each of two callers, who give the slot back when the other waits for it
	waiting := make(chan struct{})
	p := pool.New[int](pool.Options{QueueLimit: 1, OnWait: func(int) { waiting <- struct{}{} }})
	p.Add(pool.NewSlot(1, 1))
	takeTurn := func() *pool.Slot[int] {
		slot, err := p.Acquire(t.Context(), time.Now().Add(time.Minute), time.Time{})
		if err != nil {
			t.Error(err)
		}
		return slot
	}
	slot := takeTurn()
	var other sync.WaitGroup
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	other.Go(func() {
		for range turns {
			slot := takeTurn()
			<-waiting
			p.Release(slot)
		}
	})
	for range turns {
		<-waiting
		p.Release(slot)
		slot = takeTurn()
	}
	other.Wait()
	runtime.ReadMemStats(&after)
	if each := float64(after.Mallocs-before.Mallocs) / (2 * turns); each > 1.5 {
		t.Errorf("%.2f allocations for each wait", each)
	}
}
