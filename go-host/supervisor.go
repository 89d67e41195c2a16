package rootbridge

import (
	"context"
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
	if err == nil {
		d.lastRead.Store(c)
	}
	return c, err
}

// Boot starts a worker. One that has to load files that changed since its generation was made says so; one that need not
// be waits for a reload.
func (d driver) Boot(ctx context.Context, g codeGeneration, why supervisor.Why) (*worker, error) {
	switch why {
	case supervisor.Optional:
		return d.bootUnchanged(ctx, g)
	case supervisor.Needed:
		w, err := d.boot(ctx, g)
		if err == nil {
			d.tasks.Go(func() { d.warnOfChanges(w, g) }) // calls need not wait for that
		}
		return w, err
	default:
		return d.boot(ctx, g)
	}
}

// bootUnchanged starts a worker if it loads what its generation has loaded.
func (d driver) bootUnchanged(ctx context.Context, g codeGeneration) (*worker, error) {
	if changed := g.Code.hasChanged(); changed != "" {
		return nil, fmt.Errorf("%w: %s", supervisor.ErrPinned, changed)
	}
	w, err := d.boot(ctx, g)
	if err != nil {
		return nil, err
	}
	if changed := g.Code.changesMeanwhile(); changed != "" {
		d.discard(w)
		return nil, fmt.Errorf("%w: %s", supervisor.ErrPinned, changed)
	}
	return w, nil
}

func (d driver) warnOfChanges(w *worker, g codeGeneration) {
	if changed := g.Code.changesMeanwhile(); changed != "" {
		d.options.Logger.Warn("a worker was needed and has loaded files that have changed since their generation was loaded",
			"worker", w.pid(), "generation", g.Number, "file", changed)
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
	d.setMethods(slices.Sorted(slices.Values(w.methods)))
	d.pool.Add(w.slot)
	w.begin()
}

// Bar keeps new calls from a worker.
func (d driver) Bar(w *worker) { d.pool.Drain(w.slot) }

// Drain lets a worker finish the calls that somebody waits for, within Options.DrainTimeout, and ends it.
func (d driver) Drain(w *worker, reason supervisor.Reason) {
	w.begin()
	timer := time.NewTimer(d.options.DrainTimeout)
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
	calls, _ := w.conn.InFlight()
	d.options.Logger.LogAttrs(context.Background(), slog.LevelWarn, "ending a worker before its calls",
		slog.Int("worker", w.pid()), slog.Int("calls", calls), slog.Duration("drain_timeout", d.options.DrainTimeout))
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

// BootFailed logs a start that failed.
func (d driver) BootFailed(err error, failures int) {
	d.options.Logger.Error("a worker did not start", "error", err, "failures", failures)
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
	if err != nil {
		d.options.Logger.Error("reload failed, the code that was loaded before goes on serving", "generation", generation, "error", err)
		return
	}
	d.options.Logger.Info("reloaded", "generation", generation)
}
