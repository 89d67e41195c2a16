package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// console shows what the JavaScript printed while it wrote the mail.
func (t *tour) console(ctx context.Context) {
	t.step("The console", "what the JavaScript printed, in Go's log, with the request's trace id")
	t.logged(ctx, "demo-mail", "[mail] 1170 bytes for z***@obrien-sons.example")
	lines := t.server.log.find(func(r record) bool { return r.text("trace_id") == "demo-mail" && r.text("source") == "console" })
	warned := false
	for _, line := range lines {
		t.line("  %-5s trace_id=%s  %s", line.text("level"), line.text("trace_id"), line.text("msg"))
		warned = warned || line.text("level") == "WARN" && strings.Contains(line.text("msg"), "no phone number")
	}
	t.check(len(lines) == 4 && warned, "%d lines, console.warn as a warning", len(lines))
}

func (t *tour) stats(ctx context.Context) {
	t.step("The sums", "GET /stats, GET /methods")
	stats := t.get(ctx, "/stats", "demo-stats")
	failed, _ := stats.at("failed").(object)
	t.line("  calls      %v answered, failed: %v", stats.at("succeeded"), failed)
	t.line("  processes  %v started, replaced: %v", stats.at("boots"), stats.at("restarts_by"))
	t.check(len(failed) == 2 && failed["deadline_exceeded"] == 1.0 && failed["exception"] == 2.0 && stats.at("restarts_by", "crashed") == 1.0,
		"two exceptions and one endless loop: nothing else went wrong")
	methods, _ := t.get(ctx, "/methods", "demo-methods").at().([]any)
	t.line("  methods    %v", methods)
	t.check(slices.Contains(methods, "pricing.quote") && slices.Contains(methods, "carts.merge"), "what the backend exports can be called")
}

// end checks that nothing is left behind.
func (t *tour) end(ctx context.Context) {
	t.step("The end", "Ctrl-C: requests finish, then the Node processes")
	pids := t.workerPIDs(ctx)
	err := t.server.stop()
	t.check(err == nil, "the server ended by itself: %s", t.server.process.ProcessState)
	for _, pid := range pids {
		t.check(!alive(pid), "process %d is gone", pid)
	}
}

// workerPIDs are the ids of the Node processes.
func (t *tour) workerPIDs(ctx context.Context) []int {
	var stats struct{ Workers []struct{ PID int } }
	if err := json.Unmarshal(t.get(ctx, "/stats", "demo-stats").body, &stats); err != nil {
		t.check(false, "the stats are JSON: %v", err)
	}
	pids := make([]int, 0, len(stats.Workers))
	for _, worker := range stats.Workers {
		pids = append(pids, worker.PID)
	}
	slices.Sort(pids)
	return pids
}

// await waits until the Node processes are as wanted.
func (t *tour) await(ctx context.Context, what string, wanted func(pids []int) bool) []int {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		pids := t.workerPIDs(ctx)
		if wanted(pids) {
			return pids
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.check(false, "%s: still %v: %v", what, pids, ctx.Err())
			return pids
		}
	}
}
