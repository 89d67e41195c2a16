package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
)

func (t *tour) reload(ctx context.Context) {
	t.step("A deployment", "kill -USR2 the server, while customers go on")
	if reloadSignal == nil {
		t.line("not on this system")
		return
	}
	before := t.workerPIDs(ctx)
	stop := t.startCustomers(ctx)
	err := t.server.process.Process.Signal(reloadSignal)
	t.await(ctx, "every process is replaced", func() bool {
		now := t.workerPIDs(ctx)
		return len(now) == processes && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
	})
	answered, failed := stop()
	t.check(err == nil && answered > 0 && failed == 0, "meanwhile %d requests were answered, %d failed", answered, failed)
	t.line("Node processes before %v, after %v", before, t.workerPIDs(ctx))
}

// startCustomers sends requests to both HTTP functions until stop is called.
func (t *tour) startCustomers(ctx context.Context) (stop func() (answered, failed int)) {
	asking, halt := context.WithCancel(ctx)
	var all sync.WaitGroup
	var counts [2]struct{ answered, failed int }
	for i, request := range []string{"GET /products/mug-blue-300", "GET /search?q=water"} {
		all.Go(func() {
			for asking.Err() == nil {
				if t.ask(ctx, request, "").status == http.StatusOK {
					counts[i].answered++
				} else {
					counts[i].failed++
				}
			}
		})
	}
	return func() (int, int) {
		halt()
		all.Wait()
		return counts[0].answered + counts[1].answered, counts[0].failed + counts[1].failed
	}
}

// end checks that nothing is left behind.
func (t *tour) end(ctx context.Context) {
	t.step("The end", "Ctrl-C: requests and the batch finish, then the processes")
	pids := t.workerPIDs(ctx)
	err := t.server.stop()
	t.check(err == nil, "the server ended by itself: %s", t.server.process.ProcessState)
	t.check(!slices.ContainsFunc(pids, alive), "processes %v are gone", pids)
}
