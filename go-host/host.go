package rootbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
	"rootbridge/internal/pool"
	"rootbridge/internal/process"
	"rootbridge/internal/supervisor"
)

// Host runs one JavaScript module in a pool of worker processes. Start makes it, Close or Shutdown ends it.
//
// Law: mu guards methods. supervisor, pool, logs, counters, budget, load and lastRead guard themselves; everything else is set before
// Start returns.
type Host struct {
	options    Options
	node       string // empty with Options.Command
	hello      []byte // the frame that each worker gets first
	heap       int64  // see heapSize
	spawner    *process.Spawner
	pool       *pool.Pool[*worker]
	supervisor *workerSupervisor
	logs       *logPump
	counters   counters
	budget     budget
	load       load
	lastRead   atomic.Pointer[code] // whether it could be loaded or not

	life    context.Context // ends when the host is being closed
	endLife context.CancelFunc
	ending  chan struct{}  // closed when workers are to be ended, calls in flight or not
	tasks   sync.WaitGroup // goroutines of the host's own, and those that read from workers
	closing sync.Once
	closed  chan struct{} // closed when nothing of the host is left
	err     error         // of the Shutdown that did the closing; set before closed

	mu      sync.Mutex
	methods []string
}

// Start starts the workers and returns when the first one has loaded the module; with a negative Options.MinWorkers at
// once. The context bounds only that wait.
//
// Its errors are of type *Error: boot_failed when Node or the module can't be run, with the JavaScript error and the
// worker's stderr; invalid_argument for options that can't be used; canceled or deadline_exceeded for the context.
func Start(ctx context.Context, options Options) (*Host, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, &Error{Code: CodeInvalidArgument, Message: err.Error(), err: err}
	}
	h := &Host{options: options, ending: make(chan struct{}), closed: make(chan struct{})}
	if err := h.prepare(); err != nil {
		return nil, err
	}
	h.spawner = process.NewSpawner()
	h.logs = newLogPump(options.Logger)
	h.life, h.endLife = context.WithCancel(context.Background())
	h.supervisor.Start()
	if err := h.awaitFirst(ctx); err != nil {
		h.abort()
		return nil, err
	}
	h.tasks.Go(h.beat)
	h.listenForReload()
	return h, nil
}

// prepare makes the parts that need no end.
func (h *Host) prepare() error {
	o := h.options
	var err error
	if len(o.Command) == 0 {
		if h.node, err = process.FindNode(o.Node); err != nil {
			return &Error{Code: CodeBootFailed, Message: err.Error(), err: err}
		}
	}
	if h.hello, err = helloFrame(o); err != nil {
		return &Error{Code: CodeInvalidArgument, Message: err.Error(), err: err}
	}
	h.heap = o.heapSize()
	h.budget.limit = int64(o.MaxInFlight)
	h.load.demand = supervisor.NewDemand(o.MinWorkers, o.Workers, o.shrinkAfter())
	h.pool = pool.New[*worker](pool.Options{QueueLimit: max(0, o.QueueLimit), OnWait: h.noteLoad})
	h.supervisor, err = supervisor.New(supervisor.Options{
		Max: o.Workers, Initial: o.MinWorkers, Draining: o.MaxDraining,
	}, driver{h})
	if err != nil {
		return &Error{Code: CodeBootFailed, Message: err.Error(), err: err}
	}
	return nil
}

// awaitFirst returns nil with the first worker that is ready, or the first error when no worker became ready.
func (h *Host) awaitFirst(ctx context.Context) error {
	if h.options.MinWorkers == 0 {
		return nil
	}
	select {
	case err := <-h.supervisor.First():
		return err
	case <-ctx.Done():
		return contextError(ctx, "the workers were still starting")
	}
}

// abort closes a host that nobody has seen, without waiting for more than its processes' death.
func (h *Host) abort() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = h.Shutdown(ctx)
}

// Call calls an exported function with in and stores its result in out, a pointer, or nil to drop the result.
//
// in may be anything that the codec encodes; []byte arrives as a Buffer, json.RawMessage is sent as it is, Args is a list
// of arguments, and nil means no argument. An out of type *[]byte gets the result's bytes undecoded, whatever they are;
// *json.RawMessage gets JSON.
//
// The context's deadline and cancellation end the call for the caller at once; the function sees them as
// currentCall().signal. Every error is an *Error, with any code but boot_failed.
func (h *Host) Call(ctx context.Context, method string, in, out any, options ...CallOption) error {
	settings := callSettings{timeout: h.options.CallTimeout, convention: h.options.Convention, idempotent: h.isIdempotent(method)}
	if len(options) > 0 {
		settings = settings.with(options)
	}
	if settings.traceID == "" {
		settings.traceID = TraceID(ctx)
	}
	if settings.traceparent == "" {
		settings.traceparent, _ = ctx.Value(traceparentKey{}).(string)
	}
	err := h.call(ctx, method, in, out, settings)
	h.counters.count(err)
	if err == nil {
		return nil
	}
	return err.of(method)
}

func (h *Host) call(ctx context.Context, method string, in, out any, settings callSettings) *Error {
	if h.pool.IsFull() { // before any work is done for it
		return h.overloaded()
	}
	argument, err := encode(in, h.options.Codec)
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
	return h.take(answer, out)
}

// attempt runs the call once, or twice where it may be and the first worker died of whatever.
func (h *Host) attempt(ctx context.Context, meta frame.CallMeta, argument payload, settings callSettings) (*conn.Call, *Error) {
	limit := h.newLimit(ctx, settings.timeout)
	if ctx.Err() != nil || settings.timeout == 0 {
		return nil, limit.error(ctx, "it had not begun; the call did not run")
	}
	answer, e := h.exchange(ctx, limit, meta, argument, settings.reply)
	if e == nil || !settings.idempotent || !e.isEndOfWorker || ctx.Err() != nil {
		return answer, e
	}
	h.counters.retried.Add(1)
	if settings.reply != nil {
		settings.reply.Retried = true
	}
	return h.exchange(ctx, limit, meta, argument, settings.reply)
}

func (h *Host) isIdempotent(method string) bool {
	return len(h.options.Idempotent) > 0 && slices.Contains(h.options.Idempotent, method)
}

// meta builds a call's meta, without the time left, which is known only when it is sent.
func (h *Host) meta(method string, in, out any, settings callSettings) (frame.CallMeta, *Error) {
	meta := frame.CallMeta{Method: method, TraceID: settings.traceID, Traceparent: settings.traceparent}
	if n := len(method) + len(settings.traceID) + len(settings.traceparent); n > maxNames {
		return meta, &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf("expected a method name, trace id and traceparent of together at most %d bytes, got %d", maxNames, n)}
	}
	convention := settings.convention.forArgument(in)
	if convention != h.options.Convention {
		if err := checkConvention("WithConvention", convention); err != nil {
			return meta, &Error{Code: CodeInvalidArgument, Message: err.Error(), err: err}
		}
		meta.Convention = string(convention)
	}
	meta.Accept = h.accept(in, out)
	return meta, nil
}

// maxNames keeps a call's meta within frame.MaxMeta even if every byte is written as \u00xx.
const maxNames = 2_500

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
	if _, ok := out.(*json.RawMessage); ok {
		return string(JSON)
	}
	if _, ok := in.(json.RawMessage); ok {
		return string(MsgPack)
	}
	return ""
}

// exchange sends the call to a worker and returns its answer. A call that no worker has begun goes to another.
func (h *Host) exchange(ctx context.Context, limit limit, meta frame.CallMeta, argument payload, reply *Reply) (*conn.Call, *Error) {
	for {
		slot, err := h.pool.Acquire(ctx, limit.queue, limit.own)
		if err != nil {
			return nil, h.queueError(ctx, limit, err)
		}
		reply.comesFrom(slot.Resource)
		call := conn.NewCall()
		err = slot.Resource.send(call, limit, meta, argument)
		if err == nil {
			err = slot.Resource.await(ctx, call)
		}
		switch {
		case err == nil:
			return call, nil
		case errors.Is(err, errAbandoned):
			return nil, h.overdue(ctx, limit, slot.Resource, meta)
		case !call.Sent():
			h.pool.Release(slot)
		}
		call.Recycle()
		if e := asError(err); e != nil {
			return nil, e
		}
		h.pool.Drain(slot) // the worker is leaving, or gone: the call has not begun
	}
}

// take turns an answer into the call's outcome.
func (h *Host) take(answer *conn.Call, out any) *Error {
	if answer.Kind == frame.Error {
		return parseError(answer.Payload)
	}
	if answer.Encoding == frame.Reserved || answer.Encoding == frame.MsgPack && h.options.Codec != MsgPack {
		return &Error{Code: CodeProtocolError, Message: fmt.Sprintf("the worker sent a result of the encoding %s, which the host did not offer; the function ran", answer.Encoding)}
	}
	kept, err := decode(answer.Payload, answer.Encoding, out)
	if !kept {
		frame.Recycle(answer.Payload)
	}
	if err != nil {
		return &Error{Code: CodeUnencodableResult, Message: fmt.Sprintf("the result (%s) can't be decoded into %T: %v", answer.Encoding, out, err), err: err}
	}
	return nil
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
func (h *Host) overdue(ctx context.Context, limit limit, w *worker, meta frame.CallMeta) *Error {
	w.suspect(meta.Method, meta.TraceID)
	e := limit.error(ctx, "running; the function may still be")
	e.WorkerPID, e.isRunning = w.pid(), true
	return e
}

// Methods lists the functions that the module exports, sorted, nested ones with dots. Proxies and functions that are
// added later may be callable without being listed. Before the first worker is ready there are none.
func (h *Host) Methods() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.methods)
}

func (h *Host) setMethods(methods []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.methods = methods
}

// Close shuts the host down within Options.DrainTimeout; see Shutdown. It returns nil when every call in flight had ended
// by then.
func (h *Host) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), h.options.DrainTimeout)
	defer cancel()
	return h.Shutdown(ctx)
}

// Shutdown takes no further calls, waits until those in flight have ended or the context has, and ends the workers: end of
// stdin, TERM after Options.KillGrace, KILL after another. It returns when no process and no goroutine of the host is
// left, with a deadline_exceeded or canceled error if the context ended first; calls cut off by that fail with CodeClosed.
// Later and concurrent calls of Shutdown and Close wait for the first and return what it returned.
func (h *Host) Shutdown(ctx context.Context) error {
	h.closing.Do(func() {
		h.err = h.shutdown(ctx)
		close(h.closed)
	})
	<-h.closed
	return h.err
}

func (h *Host) shutdown(ctx context.Context) error {
	h.pool.Close()
	h.endLife()
	h.supervisor.Close()
	var err error
	for _, slot := range h.pool.Stats().Slots {
		select {
		case <-slot.Resource.conn.Quiet():
		case <-ctx.Done():
			err = contextError(ctx, "calls were still in flight")
		}
	}
	close(h.ending)
	for _, w := range h.supervisor.Snapshot(func() {}).Serving {
		h.tasks.Go(func() { h.end(w) })
	}
	h.supervisor.Wait()
	h.tasks.Wait()
	h.spawner.Close()
	h.logs.close()
	return err
}

func (h *Host) isEnding() bool {
	select {
	case <-h.ending:
		return true
	default:
		return false
	}
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
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Code: CodeDeadlineExceeded, Message: "the context's deadline passed while " + doing, err: cause}
	}
	return &Error{Code: CodeCanceled, Message: "the context was canceled while " + doing, err: cause}
}
