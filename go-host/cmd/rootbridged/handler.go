package main

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"rootbridge"
)

// routes add paths to those that everybody may ask for and to those that are guarded.
type routes struct {
	paths string // for people
	add   func(open, guarded *http.ServeMux)
}

// calls are the routes of --listen without --http.
func (s *server) calls() routes {
	f := s.flags
	calls := &calls{
		answers: s.answers, host: s.host, codec: rootbridge.Codec(f.Codec), callTimeout: f.CallTimeout, maxTimeout: f.MaxTimeout, bodies: s.bodies(),
	}
	return routes{"/call/METHOD", func(_, guarded *http.ServeMux) {
		route(guarded, "/call/{method}", methods{http.MethodPost: calls.ServeHTTP})
	}}
}

// management is at --admin-listen, if that is given.
func (s *server) management() routes {
	return routes{"/workers, /reload, /healthz, /readyz", func(open, guarded *http.ServeMux) {
		route(open, "/healthz", methods{http.MethodGet: s.health.live})
		route(open, "/readyz", methods{http.MethodGet: s.health.ready})
		route(guarded, "/workers", methods{http.MethodGet: s.workers})
		route(guarded, "/reload", methods{http.MethodPost: s.reload})
	}}
}

// api answers requests to a listener. What is no route is answered as everything else, in place of the mux.
func (s *server) api(listener net.Listener, all ...routes) http.Handler {
	open, guarded, paths := http.NewServeMux(), http.NewServeMux(), make([]string, 0, len(all))
	for _, each := range all {
		each.add(open, guarded)
		paths = append(paths, each.paths)
	}
	guarded.Handle("/", notFound(strings.Join(paths, ", ")))
	open.Handle("/", s.guard(listener).protect(guarded))
	return refusingUnclearBodies(refusingOddPaths(limitingReads(s.flags.ReadTimeout, open)), answerError)
}

func (s *server) guard(listener net.Listener) guard {
	g := guard{tokens: s.flags.tokens, crossOrigin: http.NewCrossOriginProtection(), logger: s.logger}
	_, isTCP := listener.Addr().(*net.TCPAddr)
	asksForCertificate := isSecured(listener) && s.flags.TLSClientCA != ""
	g.checksHost = isTCP && g.tokens == nil && !asksForCertificate
	return g
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

func notFound(paths string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answerError(w, &failure{http.StatusNotFound, "not_found", "expected one of " + paths})
	})
}

// limitingReads bounds how long a body takes; net/http lifts that when it has been read. There is no bound for a request
// without one: its connection is watched while the call runs, and a deadline would look as if the client had gone.
func limitingReads(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		connection := http.NewResponseController(w)
		_ = connection.SetReadDeadline(time.Now().Add(timeout))
		next.ServeHTTP(w, r)
		_ = connection.SetReadDeadline(time.Now().Add(restTime))
	})
}

// restTime is how long the rest of a body may take that nobody reads, because its request was refused. net/http reads some of
// it, to use the connection again.
const restTime = 500 * time.Millisecond

func (s *server) workers(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, s.host.Stats())
}

// reload answers when the new code serves, or why it does not. It goes on if the client goes away.
func (s *server) reload(w http.ResponseWriter, r *http.Request) {
	if hasBody(r) {
		answerError(w, invalid("expected no body"))
		return
	}
	if err := s.host.Reload(r.Context()); err != nil {
		s.failed(w, r, err)
		return
	}
	s.limitWriting(w)
	answerJSON(w, http.StatusOK, map[string]int{"generation": s.host.Stats().Generation})
}
