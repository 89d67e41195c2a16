package rootbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"rootbridge/internal/supervisor"
)

type (
	workerSupervisor = supervisor.Supervisor[*worker, *code]
	codeGeneration   = supervisor.Generation[*code]
)

// driver does for a Host what its supervisor decides.
type driver struct{ *Host }

// Next reads the code of a new generation.
func (d driver) Next() (*code, error) {
	c, err := readCode(d.options)
	if err != nil {
		return nil, err
	}
	d.lastRead.Store(c)
	d.tasks.Go(func() { c.files() })
	return c, nil
}

// Boot starts a worker. One that has to load files that changed since its generation was made says so; one that need not
// be waits for a reload.
func (d driver) Boot(ctx context.Context, g codeGeneration, why supervisor.Why) (*worker, error) {
	switch why {
	case supervisor.Optional:
		return d.bootUnchanged(ctx, g)
	case supervisor.Needed:
		d.tasks.Go(func() { d.warnOfChanges(g) }) // the start need not wait for that
	case supervisor.Canary:
	}
	return d.boot(ctx, g)
}

// bootUnchanged starts a worker if it loads what its generation has loaded.
func (d driver) bootUnchanged(ctx context.Context, g codeGeneration) (*worker, error) {
	if changed := d.changed(g, optionalAge); changed != "" {
		return nil, fmt.Errorf("%w: %s", supervisor.ErrPinned, changed)
	}
	w, err := d.boot(ctx, g)
	if err != nil {
		return nil, err
	}
	if changed := d.changed(g, 0); changed != "" {
		d.discard(w)
		return nil, fmt.Errorf("%w: %s", supervisor.ErrPinned, changed)
	}
	return w, nil
}

// changed returns the file that keeps a start waiting for a reload, or "": code that has changed, and after a reload that has
// failed any file. Data may be what the code itself writes. What was seen not longer ago than age is taken for true.
func (d driver) changed(g codeGeneration, age time.Duration) string {
	if d.lastRead.Load() != g.Code {
		return g.Code.changesWithin(0).any
	}
	return g.Code.changesWithin(age).code
}

func (d driver) warnOfChanges(g codeGeneration) {
	if changed := d.changed(g, neededAge); changed != "" {
		d.options.Logger.Warn("a worker is needed, and loads files that have changed since their generation was loaded",
			"generation", g.Number, "file", changed)
	}
}

// discard ends a worker that nobody has seen.
func (h *Host) discard(w *worker) {
	w.begin()
	w.stop()
	<-w.ended
}

// Admit lets calls reach a worker.
func (d driver) Admit(w *worker) {
	if d.pool.Broken() != nil {
		d.options.Logger.Info("calls are taken again", "worker", w.pid())
	}
	d.setMethods(slices.Sorted(slices.Values(w.methods)))
	d.pool.Add(w.slot)
	w.begin()
}

// Bar keeps new calls from a worker.
func (d driver) Bar(w *worker) { d.pool.Drain(w.slot) }

// Drain lets a worker finish the calls that somebody waits for, within Options.DrainTimeout, and ends it.
func (d driver) Drain(w *worker, reason supervisor.Reason) {
	w.begin()
	w.conn.Refuse() // before it is found quiet: a caller that has a place may be about to send
	timeout := d.options.DrainTimeout
	if w.inspector != "" { // it may stand at a breakpoint
		timeout = endless
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-w.conn.Quiet():
	case <-timer.C:
		d.cutOff(w, reason)
	case <-w.ended:
	case <-d.ending:
	}
	d.end(w)
}

// cutOff gives the calls that outlive Options.DrainTimeout their error.
func (d driver) cutOff(w *worker, reason supervisor.Reason) {
	calls, abandoned := w.conn.InFlight()
	d.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "ending a worker before its calls",
		slog.Int("worker", w.pid()), slog.Int("calls", calls), slog.Int("abandoned", abandoned), slog.Duration("drain_timeout", d.options.DrainTimeout))
	w.condemn(&Error{
		Code: CodeWorkerCrashed,
		Message: fmt.Sprintf("the worker was replaced (%s) and ended before the call, which had %v for it (Options.DrainTimeout); the function may have run",
			reason, d.options.DrainTimeout),
	})
}

// end stops a worker and forgets it.
func (h *Host) end(w *worker) {
	w.stop()
	<-w.ended
	h.counters.mu.Lock() // so that Stats counts its late replies once
	defer h.counters.mu.Unlock()
	h.pool.Remove(w.slot)
	h.counters.late += w.conn.Late()
}

// Break fails calls while no worker becomes ready.
func (d driver) Break(reason error) {
	if d.pool.Broken() == nil {
		d.options.Logger.Error("no worker is running, and each one that is started fails soon: calls fail at once until one is ready", "error", reason)
	}
	e := &Error{Code: CodeWorkerUnavailable, Message: "no worker is running, and each one that is started fails soon: " + reason.Error(), err: reason}
	if last := asError(reason); last != nil {
		e.Stderr = last.Stderr
	}
	d.pool.Break(e)
}

// Ready logs a worker that takes calls.
func (d driver) Ready(w *worker, generation int) {
	d.options.Logger.Info("worker ready", "worker", w.pid(), "generation", generation, "methods", len(w.methods))
}

// BootFailed logs a start that failed: one that fails like the one before it for debugging only.
func (d driver) BootFailed(err error, failures int) {
	level, text := slog.LevelError, err.Error()
	if before := d.bootFailure.Swap(&text); failures > 1 && before != nil && *before == text {
		level = slog.LevelDebug
	}
	d.options.Logger.Log(context.Background(), level, "a worker did not start", "error", err, "failures", failures)
}

// Pinned logs that recycling has to wait.
func (d driver) Pinned(generation int, err error) {
	d.options.Logger.Warn("files have changed since their generation was loaded: recycling waits for a reload",
		"generation", generation, "reason", err)
}

// Replaced logs why a worker has, or will have, a successor.
func (d driver) Replaced(w *worker, reason supervisor.Reason) {
	if reason == supervisor.ReasonCrashed {
		d.options.Logger.Warn("worker ended and will be replaced", "worker", w.pid(), "error", w.LastWords())
	} else {
		d.options.Logger.Info("worker replaced", "worker", w.pid(), "reason", string(reason))
	}
}

// Shrunk logs a worker that is no longer needed.
func (d driver) Shrunk(w *worker) {
	d.options.Logger.Info("worker is no longer needed", "worker", w.pid())
}

// Reloaded logs a reload's outcome.
func (d driver) Reloaded(generation int, err error) {
	var halfway *supervisor.HalfwayError
	switch {
	case errors.As(err, &halfway):
		d.options.Logger.Error("reload failed halfway: the new code serves, but not in all workers", "generation", generation, "error", err)
		return
	case err != nil:
		d.options.Logger.Error("reload failed, the code that was loaded before goes on serving", "generation", generation, "error", err)
		return
	}
	d.options.Logger.Info("reloaded", "generation", generation)
}
