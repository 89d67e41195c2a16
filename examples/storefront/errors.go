package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"rootbridge"
)

// statuses says what an HTTP client is told about each way in which a call can end without a result.
// The codes that are not here are bugs, ours or the JavaScript's: 500.
var statuses = map[rootbridge.Code]int{
	rootbridge.CodeInvalidArgument:   http.StatusBadRequest,
	rootbridge.CodeTooLarge:          http.StatusRequestEntityTooLarge,
	rootbridge.CodeOverloaded:        http.StatusServiceUnavailable,
	rootbridge.CodeQueueTimeout:      http.StatusServiceUnavailable,
	rootbridge.CodeWorkerUnavailable: http.StatusServiceUnavailable,
	rootbridge.CodeClosed:            http.StatusServiceUnavailable,
	rootbridge.CodeWorkerCrashed:     http.StatusBadGateway,
	rootbridge.CodeDeadlineExceeded:  http.StatusGatewayTimeout,
	rootbridge.CodeCanceled:          499, // as nginx has it: the client closed the request
}

// requestError is a request that never reached the JavaScript.
type requestError struct {
	status  int
	message string
}

func (e *requestError) Error() string { return e.message }

func badRequest(message string) error { return &requestError{http.StatusBadRequest, message} }

// problem is the body of an answer that is no result.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	TraceID string `json:"trace_id"`
}

// answering runs a route, and turns its error into an answer and a log line.
func answering(route route, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := route(w, r)
		if err == nil {
			return
		}
		traceID := rootbridge.TraceID(r.Context())
		status, problem := explain(err)
		problem.TraceID = traceID
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		logError(r.Context(), logger.With("path", r.URL.Path, "status", status, "trace_id", traceID), status, err)
		_ = writeJSON(w, status, map[string]any{"error": problem})
	})
}

// explain tells clients what they can act on, and of everything else only that it went wrong.
func explain(err error) (int, problem) {
	if bad := (*requestError)(nil); errors.As(err, &bad) {
		return bad.status, problem{Code: "bad_request", Message: bad.message}
	}
	failed := (*rootbridge.Error)(nil)
	if !errors.As(err, &failed) {
		return http.StatusInternalServerError, problem{Code: "internal", Message: "internal error"}
	}
	if status, code, ok := meantForClients(failed); ok {
		return status, problem{Code: code, Message: failed.Message}
	}
	status, ok := statuses[failed.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	return status, problem{Code: string(failed.Code), Message: http.StatusText(status)}
}

// meantForClients finds the errors that the old backend throws on purpose: they carry a statusCode and a code.
func meantForClients(err *rootbridge.Error) (status int, code string, ok bool) {
	var fields struct {
		StatusCode int    `json:"statusCode"`
		Code       string `json:"code"`
	}
	if err.DecodeFields(&fields) != nil {
		return 0, "", false
	}
	return fields.StatusCode, fields.Code, fields.StatusCode >= 400 && fields.StatusCode < 500
}

// logError logs a *rootbridge.Error as a group, with its code and its JavaScript stack, where it is worth a look.
func logError(ctx context.Context, logger *slog.Logger, status int, err error) {
	if status >= http.StatusInternalServerError {
		logger.ErrorContext(ctx, "request failed", "error", err)
		return
	}
	cause := ""
	if failed := (*rootbridge.Error)(nil); errors.As(err, &failed) && failed.Cause != nil {
		cause = failed.Cause.Message
	}
	logger.InfoContext(ctx, "request refused", "error", err.Error(), "cause", cause)
}
