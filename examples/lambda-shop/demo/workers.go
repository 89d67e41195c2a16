package main

import (
	"context"
	"slices"
	"time"
)

type stats struct {
	Succeeded int                 `json:"succeeded"`
	Workers   []struct{ PID int } `json:"workers"`
}

func (t *tour) stats(ctx context.Context) map[string]stats {
	all := map[string]stats{}
	t.ask(ctx, "GET /stats", "").into(&all)
	return all
}

// workerPIDs are the ids of all functions' Node processes.
func (t *tour) workerPIDs(ctx context.Context) []int {
	pids := []int{}
	for _, function := range t.stats(ctx) {
		for _, worker := range function.Workers {
			pids = append(pids, worker.PID)
		}
	}
	slices.Sort(pids)
	return pids
}

// await waits until something is so.
func (t *tour) await(ctx context.Context, what string, is func() bool) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.check(false, "%s: %v", what, ctx.Err())
			return
		}
	}
}
