package lambda

import (
	"errors"
	"fmt"
	"net/http"

	"rootbridge"
)

// Error is a request, or a handler's result, that can't be translated.
type Error struct {
	Status int    // what the client is told: 4xx, or 502 for a result that is no response
	Reason string // what was expected and what came, without any value of the request or the result

	err error
}

// Error is the reason, and its cause.
func (e *Error) Error() string {
	if e.err != nil {
		return "lambda: " + e.Reason + ": " + e.err.Error()
	}
	return "lambda: " + e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// unsound is a result that is no response.
func unsound(format string, values ...any) *Error {
	return &Error{Status: http.StatusBadGateway, Reason: "the handler's result is no response: " + fmt.Sprintf(format, values...)}
}

// StatusClientClosed is what logs and middleware see of a request whose client has gone, as nginx has it, and what a client gets
// that has closed only the half of its connection that it sends on.
const StatusClientClosed = 499

// StatusOf returns the status that an error is answered with: an *Error's own; 504 for deadline_exceeded; 503 for overloaded,
// queue_timeout, worker_unavailable and closed; StatusClientClosed for canceled; 502 for all others of a call, above all
// exception, worker_crashed and too_large results; 500 for what is no error of a call.
func StatusOf(err error) int {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own.Status
	}
	switch rootbridge.CodeOf(err) {
	case "":
		return http.StatusInternalServerError
	case rootbridge.CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	case rootbridge.CodeOverloaded, rootbridge.CodeQueueTimeout, rootbridge.CodeWorkerUnavailable, rootbridge.CodeClosed:
		return http.StatusServiceUnavailable
	case rootbridge.CodeCanceled:
		return StatusClientClosed
	default:
		return http.StatusBadGateway
	}
}
