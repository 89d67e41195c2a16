package main

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// reload loads the backend anew, as after a deployment, while customers go on.
func (t *tour) reload(ctx context.Context) {
	t.step("A reload", "kill -USR2 the server, while others go on")
	if reloadSignal == nil {
		t.line("not on this system")
		return
	}
	before := t.workerPIDs(ctx)
	others := t.startOthers(ctx)
	if err := t.server.process.Process.Signal(reloadSignal); err != nil {
		t.check(false, "the server gets the signal: %v", err)
	}
	after := t.await(ctx, "every process is replaced", func(pids []int) bool {
		return len(pids) == len(before) && !slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(before, pid) })
	})
	answered, failed, worst := others.stop()
	t.check(answered > 0 && failed == 0, "meanwhile %d requests were answered, %d failed; the slowest took %s",
		answered, failed, worst.Round(100*time.Microsecond))
	t.check(len(after) == len(before), "Node processes before %v, after %v", before, after)
	ready := t.get(ctx, "/readyz", "demo-ready")
	t.check(ready.status == http.StatusOK, "the server says that it is ready: %s", ready)
}
