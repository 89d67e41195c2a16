package main

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"rootbridge"
)

const traceHeader = "X-Request-Id"

var (
	traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)
	requestID   = regexp.MustCompile(`^[\w.:/+=-]{1,128}$`)
)

// traced gives every request a trace id, which its JavaScript call takes along, and logs the request.
func traced(next http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := traceIDOf(r.Header)
		w.Header().Set(traceHeader, id)
		recorded := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorded, r.WithContext(rootbridge.ContextWithTraceID(r.Context(), id)))
		logger.InfoContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", recorded.status,
			"took", time.Since(start).Round(time.Microsecond).String(), "trace_id", id)
	})
}

func traceIDOf(header http.Header) string {
	if match := traceparent.FindStringSubmatch(header.Get("Traceparent")); match != nil {
		return match[1]
	}
	if id := header.Get(traceHeader); requestID.MatchString(id) {
		return id
	}
	return rand.Text()
}

// statusRecorder remembers the status for the log.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
