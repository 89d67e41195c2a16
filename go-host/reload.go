package rootbridge

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"

	"rootbridge/internal/stamp"
	"rootbridge/internal/supervisor"
)

// Reload loads the code anew without failing a call. A worker of the new code must become ready first: if it does not,
// Reload returns its error and the earlier code goes on serving. Then worker by worker is replaced, the new one before the
// old, and the old ones finish their calls, within Options.DrainTimeout. Reload returns when no worker of the earlier code
// takes calls any more; or with an error that says so when a further worker of the new code does not become ready: then both
// serve, and it goes on being tried.
//
// While one reload runs, all who ask for another share the next, which reads the code after they asked. The context bounds
// only the wait: a reload that has begun goes on.
//
// Its errors are of type *Error: boot_failed, with the JavaScript error and the worker's stderr; closed; canceled or
// deadline_exceeded for the context.
func (h *Host) Reload(ctx context.Context) error {
	err := h.supervisor.Reload(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, supervisor.ErrClosed):
		return errClosed()
	case asError(err) != nil:
		return halfway(err)
	case ctx.Err() != nil:
		return contextError(ctx, "the reload was under way; it goes on")
	}
	return &Error{Code: CodeBootFailed, Message: err.Error(), err: err}
}

// halfway lets the error of a worker say what has become of the reload.
func halfway(err error) error {
	var h *supervisor.HalfwayError
	if !errors.As(err, &h) {
		return err
	}
	e := *asError(err)
	e.Message = h.Error()
	return &e
}

// notifyOfSignals returns a channel with the signals that ask for a reload from now on, or nil.
func (h *Host) notifyOfSignals() chan os.Signal {
	if !h.options.ReloadOnSignal || reloadSignal == nil {
		return nil
	}
	signals := make(chan os.Signal, 1) // further ones ask for the same
	signal.Notify(signals, reloadSignal)
	return signals
}

// listenForReload starts what asks for reloads besides the program.
func (h *Host) listenForReload(signals chan os.Signal) {
	if signals != nil {
		h.tasks.Go(func() { h.reloadOnSignal(signals) })
	}
	if h.options.Watch && h.lastRead.Load().root != "" {
		h.tasks.Go(h.watch)
	}
}

func (h *Host) reloadOnSignal(signals chan os.Signal) {
	defer signal.Stop(signals)
	for {
		select {
		case <-signals:
			h.reloadUnasked()
		case <-h.life.Done():
			return
		}
	}
}

// reloadUnasked begins a reload, or makes sure of another after the one that runs. Its outcome is in the log.
func (h *Host) reloadUnasked() {
	ctx, cancel := context.WithCancel(h.life)
	cancel()
	_ = h.supervisor.Reload(ctx)
}

// watchTime is how often files are looked at; so long they must be as they are before they are loaded.
const watchTime = 300 * time.Millisecond

// watchPatience is for how long files may go on changing before they are loaded as they are.
const watchPatience = 2 * time.Second

// watch reloads when files are no longer as they were when they were read last, and then stay as they are. It looks at them
// in place of waiting for the operating system's word, which is not given for many mounted folders.
func (h *Host) watch() {
	ticker := time.NewTicker(watchTime)
	defer ticker.Stop()
	var seen, written stamp.Stamp // as it was a moment ago, and after the last reload
	var since time.Time           // the first change that was not loaded yet
	for {
		select {
		case <-ticker.C:
		case <-h.life.Done():
			return
		}
		now, err := readCode(h.options)
		if err != nil { // the entry is away, perhaps for the moment
			continue
		}
		isSteady := now.files().Differs(seen) == ""
		seen = now.files()
		switch isLoaded := seen.Differs(h.lastRead.Load().files()) == "" || seen.Differs(written) == ""; {
		case isLoaded:
			since = time.Time{}
			continue
		case since.IsZero():
			since = time.Now()
		}
		if isSteady || time.Since(since) > watchPatience {
			written, since = h.reloadWatched(), time.Time{}
		}
	}
}

// reloadWatched reloads, and returns what the files are like after that, unless code has changed meanwhile: data that has was
// written by the code that was loaded.
func (h *Host) reloadWatched() stamp.Stamp {
	_ = h.supervisor.Reload(h.life) // its outcome is in the log
	read := h.lastRead.Load().files()
	if now, err := readCode(h.options); err == nil && now.files().DiffersInCode(read) == "" {
		return now.files()
	}
	return read
}
