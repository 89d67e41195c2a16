package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// console shows what the JavaScript printed while it wrote the mail.
func (t *tour) console(ctx context.Context) {
	t.step("The console", "what the JavaScript printed, in Go's log, with the request's trace id")
	t.logged(ctx, "demo-mail", "request")
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
	t.quoted(string(stats.body), 40)
	methods, _ := t.get(ctx, "/methods", "demo-methods").at().([]any)
	t.check(slices.Contains(methods, "pricing.quote") && slices.Contains(methods, "carts.merge"), "%d methods: %v", len(methods), methods)
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

// workerPIDs are the ids of the Node processes that take calls.
func (t *tour) workerPIDs(ctx context.Context) []int {
	stats := t.get(ctx, "/stats", "demo-stats")
	workers, _ := stats.at("workers").([]any)
	pids := []int{}
	for i := range workers {
		if pid, ok := stats.at("workers", i, "pid").(float64); ok {
			pids = append(pids, int(pid))
		}
	}
	slices.Sort(pids)
	return pids
}

// replaced waits until as many processes as before take calls, and one of them is new.
func (t *tour) replaced(ctx context.Context, before []int) []int {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		after := t.workerPIDs(ctx)
		if len(after) == len(before) && !slices.Equal(after, before) {
			return after
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.check(false, "a stuck process is replaced: %v", fmt.Errorf("still %v: %w", after, ctx.Err()))
			return after
		}
	}
}
