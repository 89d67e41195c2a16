package main

import (
	"errors"
	"net/http"
	"sync/atomic"

	"rootbridge"
)

// health answers probes. It never waits for a worker: one that is busy is neither unready nor dead.
type health struct {
	host     *rootbridge.Host
	draining atomic.Bool // set before anything is refused, so that clients are led elsewhere in time
}

// live says that a restart would not help.
func (h *health) live(w http.ResponseWriter, _ *http.Request) { h.answer(w, h.host.Live()) }

func (h *health) ready(w http.ResponseWriter, _ *http.Request) { h.answer(w, h.readiness()) }

func (h *health) readiness() error {
	if h.draining.Load() {
		return rootbridge.CodeClosed
	}
	err := h.host.Ready()
	if errors.Is(err, rootbridge.CodeWorkerUnavailable) && h.isBusy() {
		return nil
	}
	return err
}

// isBusy finds workers whose event loop does not turn: they run something long, and calls wait for them. Those that are
// stuck are replaced without our doing.
func (h *health) isBusy() bool { return h.host.Stats().Suspect > 0 }

const healthy = "ok\n"

// answer tells no more than a code: probes need no token.
func (h *health) answer(w http.ResponseWriter, err error) {
	code, isCode := err.(rootbridge.Code) //nolint:errorlint // a code on its own
	switch {
	case err == nil:
		answer(w, http.StatusOK, "text/plain; charset=utf-8", []byte(healthy))
		return
	case !isCode:
		code = rootbridge.CodeOf(err)
	}
	answerError(w, &failure{http.StatusServiceUnavailable, string(code), "the sidecar takes no calls at the moment"})
}
