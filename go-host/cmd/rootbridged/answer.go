package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"rootbridge"
)

// failure is a request that ends without a call's outcome.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.message }

func invalid(message string) *failure {
	return &failure{http.StatusBadRequest, string(rootbridge.CodeInvalidArgument), message}
}

// answers writes every answer, within writeTimeout.
type answers struct {
	stacks       bool
	writeTimeout time.Duration
	logger       *slog.Logger
}

// result answers with what a function returned: no content for no value.
func (a answers) result(w http.ResponseWriter, result rootbridge.Encoded) {
	a.limitWriting(w)
	if len(result.Bytes) == 0 && result.Codec != rootbridge.Raw {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, http.StatusOK, contentTypes[result.Codec], result.Bytes)
}

// failed answers with an error, and logs those that are not the client's.
func (a answers) failed(w http.ResponseWriter, r *http.Request, err error) {
	a.limitWriting(w)
	status, told := a.explain(err)
	a.log(r, status, err)
	if isForLater(rootbridge.Code(told.Code)) {
		w.Header().Set("Retry-After", "1")
	}
	answerProblem(w, status, told)
}

func (a answers) explain(err error) (int, *problem) {
	if failed := (*failure)(nil); errors.As(err, &failed) {
		return failed.status, &problem{Code: failed.code, Message: failed.message}
	}
	ended := (*rootbridge.Error)(nil)
	if !errors.As(err, &ended) {
		return http.StatusInternalServerError, &problem{Code: "internal", Message: "internal error; the log has it"}
	}
	told := problemOf(ended)
	if !a.stacks {
		told = told.withoutStacks()
	}
	return statusOf(ended.Code), told
}

// log has neither arguments, results nor an error's fields: see rootbridge.Error.LogValue. Refused calls can be very many, and
// are counted anyway.
func (a answers) log(r *http.Request, status int, err error) {
	level := slog.LevelDebug
	if status >= http.StatusInternalServerError && !isForLater(rootbridge.CodeOf(err)) {
		level = slog.LevelError
	}
	a.logger.LogAttrs(r.Context(), level, "request failed", slog.Int("status", status), slog.String("path", r.URL.Path),
		slog.String("trace_id", rootbridge.TraceID(r.Context())), slog.Any("error", err))
}

// limitWriting counts from now: how long a call took before is another matter.
func (a answers) limitWriting(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(a.writeTimeout))
}

// answerError answers with an error that needs no log.
func answerError(w http.ResponseWriter, failed *failure) {
	challenge(w, failed)
	answerProblem(w, failed.status, &problem{Code: failed.code, Message: failed.message})
}

// challenge says how to do it right, as HTTP wants it of a 401.
func challenge(w http.ResponseWriter, failed *failure) {
	if failed.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
}

func answerProblem(w http.ResponseWriter, status int, told *problem) {
	answerJSON(w, status, map[string]*problem{"error": told})
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // this is no page: let people read it
	if err := encoder.Encode(value); err != nil {
		status, body = http.StatusInternalServerError, *bytes.NewBufferString(`{"error":{"code":"internal","message":"internal error"}}`)
	}
	answer(w, status, "application/json", body.Bytes())
}

// answer has no error for a client that has gone: there is no one left to tell.
func answer(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
