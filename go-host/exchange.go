package rootbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
	"rootbridge/internal/pool"
)

func (h *Host) call(ctx context.Context, method string, in, out any, settings callSettings) *Error {
	if e := h.refusal(ctx, in); e != nil { // before any work is done for it
		return e
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf("expected out to be a pointer to something, or nil, got a %T", out)}
	}
	argument, err := encode(in, h.options.Codec, h.options.JSON)
	defer argument.release()
	if err != nil {
		return &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf("the argument (%T) can't be encoded as %s: %v", in, argument.encoding, err), err: err}
	}
	if len(argument.bytes) > h.options.MaxPayload {
		return tooLarge("the argument", len(argument.bytes), h.options.MaxPayload)
	}
	meta, e := h.meta(method, in, out, settings)
	if e != nil {
		return e
	}
	if e := h.budget.take(len(argument.bytes)); e != nil {
		return e
	}
	answer, e := h.attempt(ctx, meta, argument, settings)
	if e == nil || !e.isRunning { // else its worker gives them back
		h.budget.give(len(argument.bytes))
	}
	if e != nil {
		return e
	}
	defer answer.Recycle()
	settings.reply.isOf(answer.Meta)
	return h.take(answer, out)
}

// refusal is the error of a call that can be told to have no chance without encoding its argument.
func (h *Host) refusal(ctx context.Context, in any) *Error {
	if ctx.Err() != nil {
		return contextError(ctx, "it had not begun; the call did not run")
	}
	if h.pool.IsFull() {
		if h.options.QueueLimit < 0 { // nobody waits who would tell that more workers are needed
			h.noteLoad(h.pool.Users() + 1)
		}
		return h.overloaded()
	}
	return h.budget.refusal(encodedSize(in))
}

// attempt runs the call once, or twice where it may be and the first worker died of whatever.
func (h *Host) attempt(ctx context.Context, meta frame.CallMeta, argument payload, settings callSettings) (*conn.Call, *Error) {
	limit := h.newLimit(ctx, settings.timeout)
	if settings.timeout == 0 {
		return nil, limit.error(ctx, "it had not begun; the call did not run")
	}
	answer, e, _ := h.exchange(ctx, limit, meta, argument, settings.reply)
	if e == nil || !settings.idempotent || !e.isEndOfWorker || ctx.Err() != nil {
		return answer, e
	}
	answer, again, sent := h.exchange(ctx, limit.requeued(), meta, argument, settings.reply)
	if !sent {
		failed := *e // other calls have it, too
		failed.Message += "; it was not run again: " + again.Message
		return nil, &failed
	}
	h.counters.retried.Add(1)
	if settings.reply != nil {
		settings.reply.Retried = true
	}
	return answer, again
}

func (h *Host) isIdempotent(method string) bool {
	return len(h.options.Idempotent) > 0 && slices.Contains(h.options.Idempotent, method)
}

// meta builds a call's meta, without the time left, which is known only when it is sent.
func (h *Host) meta(method string, in, out any, settings callSettings) (frame.CallMeta, *Error) {
	meta := frame.CallMeta{Method: method, TraceID: settings.traceID, Traceparent: settings.traceparent}
	if n := len(method) + len(settings.traceID) + len(settings.traceparent); n > sureNames && len(frame.AppendCallMeta(nil, meta)) > maxNames {
		return meta, &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf("expected a method name, trace id and traceparent of together at most %d bytes as JSON, got %d", maxNames, n)}
	}
	convention := settings.convention.forArgument(in)
	if convention != h.options.Convention {
		if err := checkConvention("WithConvention", convention); err != nil {
			return meta, &Error{Code: CodeInvalidArgument, Message: err.Error(), err: err}
		}
		meta.Convention = string(convention)
	}
	meta.Accept = h.accept(in, out)
	if convention != Lambda {
		return meta, nil
	}
	var e *Error
	if meta.Lambda, e = h.options.Lambda.invocationMeta(settings.invocation); e != nil {
		return meta, e
	}
	if n := len(frame.AppendCallMeta(nil, meta)) + roomForTimeout; n > frame.MaxMeta {
		return meta, &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf("expected a method name, trace id, traceparent and Invocation of together at most %d bytes, got %d", frame.MaxMeta, n)}
	}
	return meta, nil
}

// maxNames leaves room in frame.MaxMeta for the rest of a call's meta. Of sureNames bytes each may be written as \u00xx.
const (
	maxNames  = frame.MaxMeta - 128
	sureNames = maxNames / 6
)

// roomForTimeout is what the time left takes in a call's meta, in bytes.
const roomForTimeout = 32

// forArgument lets a list of type Args be spread, whatever the default says.
func (c Convention) forArgument(in any) Convention {
	if _, ok := in.(Args); !ok {
		return c
	}
	switch c {
	case ConventionCallback, ConventionArgsCallback:
		return ConventionArgsCallback
	default:
		return ConventionArgs
	}
}

// accept names the encoding wanted for the result where the worker would choose another.
func (h *Host) accept(in, out any) string {
	if h.options.Codec != MsgPack {
		return ""
	}
	switch target := out.(type) {
	case *json.RawMessage:
		return string(JSON)
	case *Encoded:
		return wantedBy(target)
	}
	if _, ok := in.(json.RawMessage); ok {
		return string(MsgPack)
	}
	return ""
}

// exchange sends the call to a worker and returns its answer, and whether any worker may have begun the call. One that none
// has begun goes to another.
func (h *Host) exchange(ctx context.Context, limit limit, meta frame.CallMeta, argument payload, reply *Reply) (answer *conn.Call, e *Error, sent bool) {
	slot, err := h.acquire(ctx, &limit)
	for {
		if err != nil {
			return nil, h.queueError(ctx, limit, err), false
		}
		call := conn.NewCall()
		err = slot.Resource.send(call, limit, meta, argument)
		if sent = err == nil; sent {
			reply.comesFrom(slot.Resource)
			err = slot.Resource.await(ctx, call)
			call.Reclaim()
		}
		switch {
		case err == nil:
			return call, nil, true
		case errors.Is(err, errAbandoned):
			return nil, h.overdue(ctx, limit, slot.Resource, call, meta), true
		case !sent:
			h.pool.Release(slot)
		}
		call.Recycle()
		if errors.Is(err, errTooLate) {
			return nil, h.queueError(ctx, limit, err), false
		}
		if told := asError(err); told != nil {
			return nil, told, sent
		}
		h.pool.Drain(slot) // the worker is leaving, or gone: the call has not begun
		limit = limit.returned()
		slot, err = h.pool.AcquireAgain(ctx, limit.queue, limit.own)
		limit.now = time.Now()
	}
}

// acquire returns a worker with room. Most calls need not wait for it, nor look at the clock again.
func (h *Host) acquire(ctx context.Context, limit *limit) (*pool.Slot[*worker], error) {
	if slot := h.pool.TryAcquire(); slot != nil {
		return slot, nil
	}
	slot, err := h.pool.Acquire(ctx, limit.queue, limit.own)
	limit.now = time.Now()
	return slot, err
}

// take turns an answer into the call's outcome.
func (h *Host) take(answer *conn.Call, out any) *Error {
	if answer.Kind == frame.Error {
		return answered(parseError(answer.Payload))
	}
	if answer.Encoding == frame.Reserved || answer.Encoding == frame.MsgPack && h.options.Codec != MsgPack {
		return &Error{Code: CodeProtocolError, Message: fmt.Sprintf("the worker sent a result of the encoding %s, which the host did not offer; the function ran", answer.Encoding)}
	}
	kept, err := decode(answer.Payload, answer.Encoding, out, h.options.JSON)
	if err != nil { // which may refer to the payload
		return &Error{Code: CodeUnencodableResult, Message: fmt.Sprintf("the result (%s) can't be decoded into %T: %v", answer.Encoding, out, err), err: err}
	}
	if !kept {
		frame.Recycle(answer.Payload)
	}
	return nil
}

// answered keeps a worker from answering a call with what is no error of a call.
func answered(e *Error) *Error {
	if e.Code == "" || e.Code == CodeBootFailed {
		e.Message = fmt.Sprintf("the worker answered with the code %q, which is none of a call: %s", string(e.Code), e.Message)
		e.Code = CodeProtocolError
	}
	return e
}

func (h *Host) queueError(ctx context.Context, limit limit, err error) *Error {
	switch {
	case errors.Is(err, pool.ErrQueueFull):
		return h.overloaded()
	case errors.Is(err, pool.ErrQueueWait):
		return &Error{Code: CodeQueueTimeout, Message: fmt.Sprintf("no worker was free for %v (Options.QueueTimeout); the call did not run", h.options.QueueTimeout)}
	case errors.Is(err, pool.ErrClosed):
		return errClosed()
	}
	if e := asError(err); e != nil {
		return e
	}
	return limit.error(ctx, "waiting for a worker; the call did not run")
}

func (h *Host) overloaded() *Error {
	return &Error{Code: CodeOverloaded, Message: fmt.Sprintf("all workers are busy and %d calls are waiting (Options.QueueLimit); try again later, or raise Workers or Concurrency", max(0, h.options.QueueLimit))}
}

// overdue reports a call that nobody waits for any more, and looks whether its worker is stuck.
func (h *Host) overdue(ctx context.Context, limit limit, w *worker, call *conn.Call, meta frame.CallMeta) *Error {
	isCanceled := errors.Is(ctx.Err(), context.Canceled)
	switch {
	case isCanceled && meta.Lambda != nil:
		w.endLater(call, limit, meta)
	case isCanceled:
		w.doubt() // a caller that goes away says nothing of the worker
	case meta.Lambda != nil:
		w.endEnvironment(meta)
	default:
		w.suspect(meta.Method, meta.TraceID)
	}
	e := limit.error(ctx, "running; the function may still be")
	e.WorkerPID, e.isRunning = w.pid(), true
	return e
}
