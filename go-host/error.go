package rootbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"rootbridge/internal/frame"
)

// Code says how a call ended, in one of the protocol's words (protocol/README.md, section 7). Each code is itself an
// error, so that errors.Is(err, rootbridge.CodeOverloaded) works on whatever this package returns.
type Code string

// The codes. "Ran" tells whether the JavaScript function may have had effects.
const (
	// CodeException: the function ran and threw or rejected. Name, Stack, Cause, Errors, Fields and Value are its own.
	CodeException Code = "exception"
	// CodeMethodNotFound: did not run; the module exports no function of that name.
	CodeMethodNotFound Code = "method_not_found"
	// CodeInvalidArgument: did not run; the argument can't be encoded, or is no list where the convention wants one.
	CodeInvalidArgument Code = "invalid_argument"
	// CodeUnencodableResult: ran; its result can't be encoded, or does not fit the Go value it is decoded into.
	CodeUnencodableResult Code = "unencodable_result"
	// CodeTooLarge: an argument (did not run) or a result (ran) is over Options.MaxPayload.
	CodeTooLarge Code = "too_large"
	// CodeProtocolError: worker or host broke a rule of the protocol. The function may have run.
	CodeProtocolError Code = "protocol_error"
	// CodeWorkerCrashed: may have run; the worker process ended during the call. Stderr has its last words.
	CodeWorkerCrashed Code = "worker_crashed"
	// CodeWorkerUnavailable: did not run; no worker is up, and starting one keeps failing. The cause says why.
	CodeWorkerUnavailable Code = "worker_unavailable"
	// CodeBootFailed: from Start and Reload; the worker or the module did not load.
	CodeBootFailed Code = "boot_failed"
	// CodeDeadlineExceeded: the time of the call was over. It may still be running, or did not run if that was while it waited:
	// the message says which. Also matches context.DeadlineExceeded.
	CodeDeadlineExceeded Code = "deadline_exceeded"
	// CodeCanceled: the caller's context was canceled. It may still be running, or did not run if that was while it waited: the
	// message says which. Also matches context.Canceled.
	CodeCanceled Code = "canceled"
	// CodeQueueTimeout: did not run; it waited in the queue for Options.QueueTimeout.
	CodeQueueTimeout Code = "queue_timeout"
	// CodeOverloaded: did not run; Options.QueueLimit calls were waiting already, or arguments of Options.MaxInFlight bytes held.
	CodeOverloaded Code = "overloaded"
	// CodeClosed: the host was closed before the call, which did not run, or before its end: then it may have run, as the
	// message says.
	CodeClosed Code = "closed"
)

// Error is the code's text.
func (c Code) Error() string { return "rootbridge: " + string(c) }

// CodeOf returns the code of an error of this package, or "" for any other error and nil.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) && e != nil {
		return e.Code
	}
	return ""
}

// Error is what every function of this package returns for a call or a start that failed.
//
// Error and LogValue contain neither arguments, results, fields nor environment values; Fields and Value may.
type Error struct {
	Code    Code   // how it ended
	Method  string // of the call; empty for Start
	Message string // what was expected, what came, what to do; for an exception the JavaScript message

	Name      string         // the JavaScript error's name, such as TypeError; for a thrown non-Error its typeof
	Stack     string         // the JavaScript stack, source-mapped where maps exist
	Cause     *Error         // the JavaScript error's cause
	Errors    []*Error       // an AggregateError's errors
	Fields    map[string]any // the JavaScript error's other own properties, such as its own code
	Value     any            // what was thrown, if it was no Error
	Truncated bool           // the worker left out some of the above because of its size

	WorkerPID int    // the worker process concerned, or 0
	Stderr    string // what the worker last wrote to stderr, console.error included, at most 8 KiB, when it died or did not boot

	err           error // the cause on the Go side
	isRunning     bool  // the call went on when this was returned
	isEndOfWorker bool  // the worker ended during the call, or was killed
}

// Error is the method, the code, the JavaScript error's name and the message, of what there is.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("rootbridge: ")
	if e.Method != "" {
		fmt.Fprintf(&b, "%s: ", e.Method)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, "%s: ", string(e.Code))
	}
	if e.Name != "" && e.Name != e.Message {
		fmt.Fprintf(&b, "%s: ", e.Name)
	}
	b.WriteString(e.Message)
	return b.String()
}

// Is matches the error's code, and for deadline_exceeded and canceled the context package's errors.
func (e *Error) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.Code == CodeDeadlineExceeded
	case context.Canceled:
		return e.Code == CodeCanceled
	}
	code, ok := target.(Code)
	return ok && e.Code == code
}

// Unwrap returns the causes: on the Go side, and in JavaScript.
func (e *Error) Unwrap() []error {
	var causes []error
	if asError(e.err) != nil {
		causes = append(causes, uncoded{e.err})
	} else if e.err != nil {
		causes = append(causes, e.err)
	}
	if e.Cause != nil {
		causes = append(causes, e.Cause)
	}
	for _, each := range e.Errors {
		causes = append(causes, each)
	}
	return causes
}

// uncoded is a cause that has a code of its own, which must not be taken for that of the error it caused.
type uncoded struct{ err error }

func (u uncoded) Error() string { return u.err.Error() }

// As finds the cause as an error.
func (u uncoded) As(target any) bool { return errors.As(u.err, target) }

// Is matches whatever the cause does, but for codes and what stands for them.
func (u uncoded) Is(target error) bool {
	if _, isCode := target.(Code); isCode || target == context.Canceled || target == context.DeadlineExceeded {
		return false
	}
	return errors.Is(u.err, target)
}

// DecodeFields stores the JavaScript error's own properties, such as a status or a code of its own, in out, a pointer to a
// struct with encoding/json's tags or to a map. Its errors are those of encoding/json.
func (e *Error) DecodeFields(out any) error {
	fields, err := json.Marshal(e.Fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(fields, out)
}

// LogValue logs what a log may hold: no fields and no values.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("message", e.Message)}
	for _, attr := range []slog.Attr{
		slog.String("code", string(e.Code)), slog.String("method", e.Method), slog.String("name", e.Name),
		slog.String("stack", e.Stack), slog.String("stderr", e.Stderr),
	} {
		if attr.Value.String() != "" {
			attrs = append(attrs, attr)
		}
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.Any("cause", e.Cause))
	}
	if e.WorkerPID != 0 {
		attrs = append(attrs, slog.Int("worker", e.WorkerPID))
	}
	return slog.GroupValue(attrs...)
}

// of returns a copy of the error that names the call's method: one crash ends many calls.
func (e *Error) of(method string) *Error {
	named := *e
	named.Method = method
	return &named
}

// maxCauses is how long a chain of causes may be (protocol/README.md, section 7); longer ones are cut.
const maxCauses = 8

// parseError reads an error frame's payload. One that breaks the protocol becomes a protocol_error that says so.
func parseError(payload []byte) *Error {
	object, err := frame.ParseObject(payload)
	if err != nil {
		return &Error{Code: CodeProtocolError, Message: "the worker sent an error that is not as section 7 of the protocol describes it", err: err}
	}
	if !isText(object["code"]) || !isText(object["message"]) {
		return &Error{Code: CodeProtocolError, Message: "the worker sent an error without a code or without a message"}
	}
	return thrown(object, maxCauses)
}

func isText(value json.RawMessage) bool { return len(value) > 0 && value[0] == '"' }

// thrown leaves out keys of a wrong type: what is right still counts.
func thrown(object frame.Object, levels int) *Error {
	e := new(Error)
	for key, field := range map[string]any{
		"code": &e.Code, "message": &e.Message, "name": &e.Name, "stack": &e.Stack,
		"fields": &e.Fields, "value": &e.Value, "truncated": &e.Truncated,
	} {
		_ = object.Read(key, field)
	}
	if levels == 0 {
		return e
	}
	var cause frame.Object
	if _ = object.Read("cause", &cause); cause != nil {
		e.Cause = thrown(cause, levels-1)
	}
	var each []json.RawMessage
	_ = object.Read("errors", &each)
	for _, text := range each {
		if inner, err := frame.ParseObject(text); err == nil {
			e.Errors = append(e.Errors, thrown(inner, levels-1))
		}
	}
	return e
}

func errClosed() *Error {
	return &Error{Code: CodeClosed, Message: "the host is closed"}
}

func tooLarge(what string, size, limit int) *Error {
	return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("%s has %d bytes, at most %d are allowed (Options.MaxPayload)", what, size, limit)}
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// contextError names what a context's end interrupted.
func contextError(ctx context.Context, doing string) *Error {
	cause := context.Cause(ctx)
	if cause == nil { // its deadline has passed, and it does not know yet
		cause = context.DeadlineExceeded
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Code: CodeDeadlineExceeded, Message: "the context's deadline passed while " + doing, err: cause}
	}
	return &Error{Code: CodeCanceled, Message: "the context was canceled while " + doing, err: cause}
}
