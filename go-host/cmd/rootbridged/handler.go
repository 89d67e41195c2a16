package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"rootbridge"
)

// handler answers all requests.
type handler struct {
	answers
	host        *rootbridge.Host
	health      *health
	calls       http.Handler
	guard       guard
	readTimeout time.Duration
}

// handler answers what is no route as everything else, in place of the mux.
func (h *handler) handler() http.Handler {
	mux := http.NewServeMux()
	route(mux, "/healthz", methods{http.MethodGet: h.health.live})
	route(mux, "/readyz", methods{http.MethodGet: h.health.ready})
	guarded := http.NewServeMux()
	route(guarded, "/workers", methods{http.MethodGet: h.workers})
	route(guarded, "/reload", methods{http.MethodPost: h.reload})
	route(guarded, "/call/{method}", methods{http.MethodPost: h.calls.ServeHTTP})
	guarded.HandleFunc("/", notFound)
	mux.Handle("/", h.guard.protect(guarded))
	return refusingOddPaths(h.limitingReads(mux))
}

type methods map[string]http.HandlerFunc

// route answers one path. GET includes HEAD.
func route(mux *http.ServeMux, pattern string, byMethod methods) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if handle, ok := byMethod[method]; ok {
			handle(w, r)
			return
		}
		allowed := strings.Join(slices.Collect(maps.Keys(byMethod)), ", ")
		w.Header().Set("Allow", allowed)
		answerError(w, &failure{http.StatusMethodNotAllowed, "method_not_allowed", "expected " + allowed + " for this path"})
	})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	answerError(w, &failure{http.StatusNotFound, "not_found", "expected /call/METHOD, /workers, /reload, /healthz or /readyz"})
}

// limitingReads bounds how long a body takes; net/http lifts that when it has been read. There is no bound for a request
// without one: its connection is watched while the call runs, and a deadline would look as if the client had gone.
func (h *handler) limitingReads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		connection := http.NewResponseController(w)
		_ = connection.SetReadDeadline(time.Now().Add(h.readTimeout))
		next.ServeHTTP(w, r)
		_ = connection.SetReadDeadline(time.Now().Add(restTime))
	})
}

// restTime is how long the rest of a body may take that nobody reads, because its request was refused. net/http reads some of
// it, to use the connection again.
const restTime = 500 * time.Millisecond

func (h *handler) workers(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, h.host.Stats())
}

// reload answers when the new code serves, or why it does not. It goes on if the client goes away.
func (h *handler) reload(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		answerError(w, invalid("expected no body"))
		return
	}
	if err := h.host.Reload(r.Context()); err != nil {
		h.failed(w, r, err)
		return
	}
	h.limitWriting(w)
	answerJSON(w, http.StatusOK, map[string]int{"generation": h.host.Stats().Generation})
}
