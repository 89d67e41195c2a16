package rootbridge

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"

	"rootbridge/internal/supervisor"
)

// The reasons for which a worker is replaced, beside those of the supervisor. Stats.RestartsBy explains them.
const (
	reasonGoaway    supervisor.Reason = "goaway"
	reasonSignal    supervisor.Reason = "signal"
	reasonAbandoned supervisor.Reason = "abandoned"
	reasonStopped   supervisor.Reason = "stopped"
	reasonOverdue   supervisor.Reason = "overdue"
	reasonCalls     supervisor.Reason = "calls"
	reasonLifetime  supervisor.Reason = "lifetime"
	reasonIdle      supervisor.Reason = "idle"
	reasonMemory    supervisor.Reason = "memory"
)

// bounds are a worker's own limits: up to a tenth below those of Options, so that workers that started together are not
// replaced together. Zero means none.
type bounds struct {
	calls    uint64
	lifetime time.Duration
	idle     time.Duration
}

func newBounds(o Options) bounds {
	return bounds{jitter(uint64(o.MaxCalls)), jitter(o.MaxLifetime), jitter(o.MaxIdleTime)} //nolint:gosec // checked not to be negative
}

// jitter takes up to a tenth off.
func jitter[T uint64 | time.Duration](most T) T {
	if tenth := most / 10; tenth > 0 {
		return most - rand.N(tenth) //nolint:gosec // jitter need not be secret
	}
	return most
}

const (
	// fullHeap is the part of the heap's limit beyond which a worker is about to die of it, and fullBeats how many heartbeats
	// in a row it must be: a heap is always full just before it is cleaned up.
	fullHeap  = 0.9
	fullBeats = 3
	// unbearable is how many times Options.MaxRSS makes a worker be killed, new one or not.
	unbearable = 2
)

// killIfUnbearable ends a worker for which no new one can be waited for.
func (h *Host) killIfUnbearable(w *worker) {
	if h.options.MaxRSS == 0 {
		return
	}
	rss := w.rss()
	if rss <= unbearable*h.options.MaxRSS {
		return
	}
	w.kill(&Error{
		Code: CodeWorkerCrashed,
		Message: fmt.Sprintf("the worker was killed: it used %d MiB of memory, more than %d times Options.MaxRSS; the function may have run",
			rss>>20, unbearable),
	})
}

// recycleIfDue asks for another worker in the place of one that has served its time. Calls are not held up by it.
func (h *Host) recycleIfDue(w *worker) {
	if reason := w.recycleReason(); reason != "" {
		h.supervisor.Replace(w, reason)
	}
}

// recycleReason says why a worker has served its time, or nothing. It is called once at each heartbeat.
func (w *worker) recycleReason() supervisor.Reason {
	calls := w.calls.Load()
	idle := w.idleTime(calls)
	switch {
	case w.bounds.lifetime > 0 && time.Since(w.since) >= w.bounds.lifetime:
		return reasonLifetime
	case w.bounds.idle > 0 && calls > 0 && idle >= w.bounds.idle:
		return reasonIdle
	case w.host.options.MaxRSS > 0 && w.rss() > w.host.options.MaxRSS, w.isHeapFull():
		return reasonMemory
	}
	return ""
}

// idleTime tells for how long, from heartbeat to heartbeat, a worker has had nothing to do.
func (w *worker) idleTime(calls uint64) time.Duration {
	waiting, abandoned := w.conn.InFlight()
	if calls != w.seenCalls || waiting+abandoned > 0 {
		w.seenCalls, w.idleSince = calls, time.Now()
	}
	return time.Since(w.idleSince)
}

// lastingUtilization is how busy the event loop was at least, at this and the last heartbeat: a single one may have seen no
// more than the start of a worker.
func (w *worker) lastingUtilization() float64 {
	before := w.seenUtilization
	w.seenUtilization = w.utilization()
	return min(before, w.seenUtilization)
}

func (w *worker) isHeapFull() bool {
	told := w.told()
	limit := cmp.Or(w.host.heap, told.HeapLimit) // what V8 tells includes room for young values, which old ones can't have
	if limit == 0 || float64(told.HeapUsed) < fullHeap*float64(limit) {
		w.fullBeats = 0
		return false
	}
	w.fullBeats++
	return w.fullBeats >= fullBeats
}
