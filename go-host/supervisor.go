package rootbridge

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// steadyTime is how long a worker must have lived for its death not to count as one of a row.
	steadyTime = 10 * time.Second
	// patience is how many starts in a row may fail before calls stop waiting for one that succeeds.
	patience = 3
)

// supervise keeps one place of the pool filled: it starts a worker, and another when that one has died or wants to be
// replaced, until the host's life ends. It reports the outcome of its first start.
func (h *Host) supervise(first chan<- error) {
	failures := 0
	var leaving *worker // to be drained when its replacement is ready
	for h.pause(failures) {
		w, err := h.boot(h.life)
		if err == nil {
			h.admit(w)
		}
		if first != nil {
			first <- err
			first = nil
			if err != nil && !h.hasStarted() { // Start reports it
				return
			}
		}
		if err != nil {
			failures++
			h.noteFailure(err, failures)
			continue
		}
		ready := time.Now()
		h.dismiss(leaving)
		leaving = h.watch(w)
		if time.Since(ready) >= steadyTime || w.endsInOrder() {
			failures = 0
			continue
		}
		failures++
		if w.conn.Answered() == 0 { // else it is a call that kills it, and others need not fail
			h.breakAfter(failures, w.lastWords())
		}
	}
	h.dismiss(leaving)
}

// hasStarted waits until it is known whether Start succeeds.
func (h *Host) hasStarted() bool {
	select {
	case <-h.started:
		return true
	case <-h.life.Done():
		return false
	}
}

// pause waits before the next start, longer after each failure in a row, with jitter so that workers that died together
// do not start together. It returns false when the host's life has ended.
func (h *Host) pause(failures int) bool {
	if failures < 2 {
		return h.life.Err() == nil // one death is made good at once
	}
	wait := min(lastBackoff, firstBackoff<<min(failures-2, 16))
	wait = wait/2 + rand.N(wait/2) //nolint:gosec // jitter need not be secret
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.life.Done():
		return false
	}
}

func (h *Host) noteFailure(err error, failures int) {
	if h.life.Err() != nil {
		return
	}
	h.counters.bootFailures.Add(1)
	h.options.Logger.Error("a worker did not start", "error", err, "failures", failures)
	h.breakAfter(failures, err)
}

// breakAfter lets calls fail at once, until a worker is ready again, when failures in a row have left none.
func (h *Host) breakAfter(failures int, err error) {
	if failures < patience {
		return
	}
	e := &Error{Code: CodeWorkerUnavailable, Message: "no worker is running, and each one that is started fails soon: " + err.Error(), err: err}
	if last := asError(err); last != nil {
		e.Stderr = last.Stderr
	}
	h.pool.Break(e)
}

// admit lets calls reach a worker.
func (h *Host) admit(w *worker) {
	h.mu.Lock()
	h.methods = slices.Sorted(slices.Values(w.methods))
	h.mu.Unlock()
	h.slots.Go(w.serve)
	h.counters.boots.Add(1)
	h.options.Logger.Info("worker ready", "worker", w.pid(), "methods", len(w.methods))
	h.pool.Add(w.slot)
}

// watch returns when a worker has to be replaced: nil when it has ended, the worker itself when it goes on meanwhile.
func (h *Host) watch(w *worker) (leaving *worker) {
	select {
	case <-w.ended:
		h.pool.Remove(w.slot)
		if h.life.Err() == nil {
			h.counters.restarts.Add(1)
			h.options.Logger.Warn("worker ended and will be replaced", "worker", w.pid(), "error", w.epitaph())
		}
		return nil
	case reason := <-w.retired:
		h.counters.restarts.Add(1)
		h.options.Logger.Info("worker will be replaced", "worker", w.pid(), "reason", reason)
		return w
	case <-h.life.Done():
		h.slots.Go(func() { h.end(w) })
		return nil
	}
}

// end stops a worker when the host is ending.
func (h *Host) end(w *worker) {
	select {
	case <-w.ended:
	case <-h.ending:
		w.stop()
	}
	<-w.ended
	h.pool.Remove(w.slot)
}

// dismiss lets a worker, if there is one, finish the calls that somebody waits for, and ends it.
func (h *Host) dismiss(w *worker) {
	if w == nil {
		return
	}
	h.pool.Drain(w.slot)
	h.slots.Go(func() {
		timer := time.NewTimer(h.options.DrainTimeout)
		defer timer.Stop()
		select {
		case <-w.conn.Quiet():
			w.stop()
		case <-timer.C:
			h.logDrain(w)
			w.stop()
		case <-w.ended:
		case <-h.ending:
		}
		h.end(w)
	})
}

func (h *Host) logDrain(w *worker) {
	waiting, _ := w.conn.InFlight()
	h.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "ending a worker before its calls",
		slog.Int("worker", w.pid()), slog.Int("calls", waiting), slog.Duration("drain_timeout", h.options.DrainTimeout))
}
