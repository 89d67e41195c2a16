package rootbridge

import (
	"fmt"
	"sync"
	"time"
)

// probe finds out, after a call became overdue, whether the worker's event loop still turns. Until it answers, or shows
// otherwise that it gets on, the worker gets no new calls.
//
// Law: mu guards all fields.
type probe struct {
	mu       sync.Mutex
	timer    *time.Timer // nil while nobody asks
	received uint64      // frames received when the timer was set
}

// suspect is called for a call that became overdue. method and traceID are that call's.
func (w *worker) suspect(method, traceID string) {
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	if w.probe.timer != nil || w.hasExited() {
		return
	}
	w.host.pool.Pause(w.slot)
	w.probe.received = w.conn.Received()
	w.probe.timer = time.AfterFunc(w.host.options.KillGrace, func() { w.judge(method, traceID) })
	w.conn.Ping()
}

// alive ends the question. Abandoned calls get as long as a blocked loop would to end by themselves.
func (w *worker) alive() {
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	if w.probe.timer == nil {
		return
	}
	w.probe.timer.Stop()
	w.probe.timer = nil
	w.host.pool.Resume(w.slot)
	time.AfterFunc(w.host.options.KillGrace, w.retireIfClogged)
}

// judge is called when no answer has come for KillGrace. A worker that sent other frames meanwhile is busy, but gets on.
func (w *worker) judge(method, traceID string) {
	if w.isBlocked() {
		w.killBlocked(method, traceID)
	}
}

// isBlocked gives a busy worker another KillGrace.
func (w *worker) isBlocked() bool {
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	if w.probe.timer == nil || w.hasExited() {
		return false
	}
	received := w.conn.Received()
	if received == w.probe.received {
		return true
	}
	w.probe.received = received
	w.probe.timer.Reset(w.host.options.KillGrace)
	return false
}

func (w *worker) killBlocked(method, traceID string) {
	grace := w.host.options.KillGrace
	w.host.options.Logger.Warn("killing a worker whose event loop is blocked",
		"worker", w.pid(), "method", method, "trace_id", traceID, "kill_grace", grace)
	w.kill(&Error{
		Code: CodeWorkerCrashed,
		Message: fmt.Sprintf("the worker was killed: a call of %q on it was overdue and its event loop was blocked for %v "+
			"(Options.KillGrace); the function may have run", method, grace),
	})
}

// retireIfClogged replaces a worker when half of its slots or more hold abandoned calls.
func (w *worker) retireIfClogged() {
	_, abandoned := w.conn.InFlight()
	if 2*abandoned >= w.host.options.Concurrency {
		w.retire(fmt.Sprintf("%d of its %d slots hold calls that nobody waits for", abandoned, w.host.options.Concurrency))
	}
}

func (w *worker) hasExited() bool {
	select {
	case <-w.process.Exited():
		return true
	default:
		return false
	}
}
