package rootbridge

import (
	"context"
	"time"

	"rootbridge/internal/frame"
)

// CallOption changes one call.
type CallOption func(*callSettings)

type callSettings struct {
	timeout     time.Duration
	traceID     string
	traceparent string
	convention  Convention
	idempotent  bool
	reply       *Reply
	invocation  *Invocation
}

// with returns changed settings. Calls without options are spared the allocation that it costs.
func (s callSettings) with(options []CallOption) callSettings {
	for _, option := range options {
		if option != nil {
			option(&s)
		}
	}
	return s
}

// WithTimeout bounds the call in place of Options.CallTimeout, waiting included. Negative means no bound but the
// context's; with 0 the time is over before the call begins.
func WithTimeout(d time.Duration) CallOption {
	return func(s *callSettings) { s.timeout = d }
}

// WithTraceID gives the call an id that comes back on each of its log lines, and that currentCall() tells the function. See
// Host.Call for how long it may be; a line of the log that has no room for it lacks it.
func WithTraceID(id string) CallOption {
	return func(s *callSettings) { s.traceID = id }
}

// WithTraceparent passes a W3C traceparent to the function.
func WithTraceparent(traceparent string) CallOption {
	return func(s *callSettings) { s.traceparent = traceparent }
}

// WithConvention calls the function in another way than Options.Convention.
func WithConvention(c Convention) CallOption {
	return func(s *callSettings) { s.convention = c }
}

// WithIdempotent says that the call may be run twice, as Options.Idempotent does for all calls of a method: when its worker
// dies or is killed during the call it is run once more, on another worker, within the same time.
func WithIdempotent() CallOption {
	return func(s *callSettings) { s.idempotent = true }
}

// WithReply tells where the call's reply, or its error, came from. reply is set when Call returns; nil is no option at all.
func WithReply(reply *Reply) CallOption {
	if reply == nil {
		return nil
	}
	return func(s *callSettings) { *reply = Reply{}; s.reply = reply }
}

// Reply says which worker a call was sent to last, and what beside the result came of it. It is zero for a call that was sent
// to none.
type Reply struct {
	Generation  int    // of the worker's code; see Stats.Generation
	WorkerPID   int    // the worker's process id
	Retried     bool   // the call was run once more after its first worker had died
	ContentType string // of bytes that a Lambda handler has streamed, as it has set it; "" otherwise. No header value yet: check it
}

func (r *Reply) comesFrom(w *worker) {
	if r != nil {
		r.Generation, r.WorkerPID = w.generation, w.pid()
	}
}

func (r *Reply) isOf(meta frame.ReplyMeta) {
	if r != nil {
		r.ContentType = meta.ContentType
	}
}

// Args is a list of arguments: host.Call(ctx, "add", rootbridge.Args{1, 2}, &sum) calls add(1, 2).
type Args []any

type (
	traceIDKey     struct{}
	traceparentKey struct{}
)

// ContextWithTraceID returns a context whose calls carry a trace id, as WithTraceID does for one call. Middleware sets it
// once for all calls of a request.
func ContextWithTraceID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, traceIDKey{}, id)
}

// TraceID returns the trace id that ContextWithTraceID put into the context, or "".
func TraceID(ctx context.Context) string {
	id, _ := ctx.Value(traceIDKey{}).(string)
	return id
}

// ContextWithTraceparent returns a context whose calls carry a W3C traceparent, as WithTraceparent does for one call.
func ContextWithTraceparent(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceparentKey{}, traceparent)
}

// Traceparent returns the traceparent that ContextWithTraceparent put into the context, or "".
func Traceparent(ctx context.Context) string {
	traceparent, _ := ctx.Value(traceparentKey{}).(string)
	return traceparent
}

// Func returns a JavaScript function as a Go function. It neither looks the method up nor calls it.
// The function's errors are those of Host.Call.
func Func[In, Out any](host *Host, method string, options ...CallOption) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		var out Out
		err := host.Call(ctx, method, in, &out, options...)
		return out, err
	}
}
