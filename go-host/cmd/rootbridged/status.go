package main

import (
	"net/http"

	"rootbridge"
)

// statusCanceled is nginx's, for a client that closed the connection. Nobody reads it but the log.
const statusCanceled = 499

// statuses says which status the end of a call has: 4xx and 503 when the function did not run, 500 when it did and failed,
// 502 and 504 when it may have run, or may still. Proxies repeat requests on the latter three where they are told to.
var statuses = map[rootbridge.Code]int{
	rootbridge.CodeInvalidArgument:   http.StatusBadRequest,
	rootbridge.CodeMethodNotFound:    http.StatusNotFound,
	rootbridge.CodeTooLarge:          http.StatusRequestEntityTooLarge,
	rootbridge.CodeException:         http.StatusInternalServerError,
	rootbridge.CodeUnencodableResult: http.StatusInternalServerError,
	rootbridge.CodeBootFailed:        http.StatusInternalServerError,
	rootbridge.CodeWorkerCrashed:     http.StatusBadGateway,
	rootbridge.CodeProtocolError:     http.StatusBadGateway,
	rootbridge.CodeDeadlineExceeded:  http.StatusGatewayTimeout,
	rootbridge.CodeCanceled:          statusCanceled,
	rootbridge.CodeOverloaded:        http.StatusServiceUnavailable,
	rootbridge.CodeQueueTimeout:      http.StatusServiceUnavailable,
	rootbridge.CodeWorkerUnavailable: http.StatusServiceUnavailable,
	rootbridge.CodeClosed:            http.StatusServiceUnavailable,
}

// statusOf returns 500 for codes that a newer worker made up.
func statusOf(code rootbridge.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// isForLater tells whether the same request may succeed in a moment, without anything having been done for it yet.
func isForLater(code rootbridge.Code) bool {
	switch code {
	case rootbridge.CodeOverloaded, rootbridge.CodeQueueTimeout, rootbridge.CodeWorkerUnavailable:
		return true
	default:
		return false
	}
}
