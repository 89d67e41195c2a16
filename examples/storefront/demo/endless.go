package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// endlessLoop sends a cart with two equal deals for one bag of coffee: the old optimiser swaps them for ever.
func (t *tour) endlessLoop(ctx context.Context) {
	t.step("An endless loop", "POST /optimise → deals.best(cart), while others go on")
	fine := t.post(ctx, "/optimise", "demo-deals", cart("COF-HOUSE-500", "DRI-CER-02", "FIL-PAPER-02"))
	t.check(fine.at("deals", 0, "id") == "pour-over" && fine.at("saving") == "6.00", "most carts have a best deal: %s", fine)

	t.line("two customers keep asking for prices, a third sends the cart that never ends …")
	before := t.workerPIDs(ctx)
	others := t.startOthers(ctx)
	stuck := t.post(ctx, "/optimise", "demo-endless", cart("COF-HOUSE-500", "JAM-APRI-200", "FIL-PAPER-02"))
	after := t.await(ctx, "the stuck process is replaced", func(pids []int) bool {
		return len(pids) == len(before) && !slices.Equal(pids, before)
	})
	answered, failed, worst := others.stop()

	t.check(stuck.status == http.StatusGatewayTimeout && stuck.at("error", "code") == "deadline_exceeded",
		"this one has none, and ends when its time is over: %s", stuck)
	t.check(answered > 0 && failed == 0, "meanwhile %d other requests were answered, %d failed; the slowest took %s",
		answered, failed, worst.Round(100*time.Microsecond))
	t.check(len(after) == len(before) && !slices.Equal(before, after), "Node processes before %v, after %v", before, after)
	for _, pid := range before {
		if !slices.Contains(after, pid) {
			t.check(!alive(pid), "process %d, stuck in its loop, was killed", pid)
		}
	}
}

// others are customers who know nothing of the loop.
type others struct {
	halt     context.CancelFunc
	all      sync.WaitGroup
	answered atomic.Int64
	failed   atomic.Int64
	worst    atomic.Int64 // nanoseconds
}

// startOthers returns once the first requests have been answered.
func (t *tour) startOthers(ctx context.Context) *others {
	o := &others{}
	asking, halt := context.WithCancel(ctx)
	o.halt = halt
	for range 2 {
		first := make(chan struct{})
		o.all.Go(func() {
			t.ask(ctx, o)
			close(first)
			for asking.Err() == nil {
				t.ask(ctx, o)
			}
		})
		<-first
	}
	return o
}

func (t *tour) ask(ctx context.Context, o *others) {
	got := t.post(ctx, "/quote", "demo-other", cart("TEA-EARL-100", "POT-TEA-1000"))
	if got.status != http.StatusOK || got.at("total") != "64.20" {
		o.failed.Add(1)
		return
	}
	o.answered.Add(1)
	for worst := o.worst.Load(); int64(got.took) > worst; worst = o.worst.Load() {
		o.worst.CompareAndSwap(worst, int64(got.took))
	}
}

func (o *others) stop() (answered, failed int64, worst time.Duration) {
	o.halt()
	o.all.Wait()
	return o.answered.Load(), o.failed.Load(), time.Duration(o.worst.Load())
}
