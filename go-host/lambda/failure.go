package lambda

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"rootbridge"
)

// WriteError answers with an error's status and {"message": "..."}, in API Gateway's words, and with Retry-After where a call
// did not run that may succeed a second later. It tells nothing of the error's own text.
func WriteError(w http.ResponseWriter, err error) {
	writeFailure(w, err, failure{Message: messageOf(StatusOf(err))})
}

// WriteErrorDetails is WriteError with what ShowErrors adds. For development: it tells what the JavaScript threw.
func WriteErrorDetails(w http.ResponseWriter, err error) { writeFailure(w, err, shown(err)) }

// failure is the body of an answer that is no response of the handler.
type failure struct {
	Message      string   `json:"message"`
	ErrorType    string   `json:"errorType,omitempty"`
	ErrorMessage string   `json:"errorMessage,omitempty"`
	Trace        []string `json:"trace,omitempty"`
}

// fail answers, and logs what the client is not told.
func (s *settings) fail(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	status := StatusOf(err)
	s.logger.LogAttrs(r.Context(), levelOf(status), "a request has no response of its Lambda handler",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.String("request_id", requestID), slog.String("trace_id", rootbridge.TraceID(r.Context())), slog.Any("error", err))
	if s.showsErrors {
		WriteErrorDetails(w, err)
		return
	}
	WriteError(w, err)
}

func levelOf(status int) slog.Level {
	switch {
	case status < http.StatusInternalServerError:
		return slog.LevelDebug
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// messageOf is what API Gateway says.
func messageOf(status int) string {
	switch status {
	case http.StatusBadGateway:
		return "Internal server error"
	case http.StatusGatewayTimeout:
		return "Endpoint request timed out"
	case StatusClientClosed:
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// shown is a failure with what Lambda tells those who may invoke the function.
func shown(err error) failure {
	f := failure{Message: messageOf(StatusOf(err)), ErrorMessage: err.Error()}
	if e := (*rootbridge.Error)(nil); errors.As(err, &e) && e.Code == rootbridge.CodeException {
		f.ErrorType, f.ErrorMessage = e.Name, e.Message
		if e.Stack != "" {
			f.Trace = strings.Split(e.Stack, "\n")
		}
	}
	return f
}

func writeFailure(w http.ResponseWriter, err error, f failure) {
	body, _ := json.Marshal(f) // texts always can
	w.Header().Set("Content-Type", jsonType)
	status := StatusOf(err)
	if status == http.StatusServiceUnavailable && rootbridge.CodeOf(err) != rootbridge.CodeClosed {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // of a client that has gone there is no one left to tell
}
