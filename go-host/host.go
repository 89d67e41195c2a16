package rootbridge

import (
	"context"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"

	"rootbridge/internal/pool"
	"rootbridge/internal/process"
	"rootbridge/internal/supervisor"
)

// Host runs one JavaScript module in a pool of worker processes. Start makes it, Close or Shutdown ends it.
//
// Law: mu guards methods. supervisor, pool, logs, counters, budget, load, bootFailure and lastRead guard themselves; everything
// else is set before Start returns.
type Host struct {
	options     Options
	node        string // empty with Options.Command
	hello       []byte // the frame that each worker gets first
	heap        int64  // see heapSize
	spawner     *process.Spawner
	pool        *pool.Pool[*worker]
	supervisor  *workerSupervisor
	logs        *logPump
	counters    counters
	budget      budget
	load        load
	bootFailure atomic.Pointer[string] // the text of the last one
	lastRead    atomic.Pointer[code]   // whether it could be loaded or not

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
	h.logs = newLogPump(options.Logger)
	h.options.Logger = h.logs.own()
	signals := h.notifyOfSignals() // before the code is read that they ask to read anew
	if err := h.prepare(); err != nil {
		signal.Stop(signals)
		h.logs.close()
		return nil, err
	}
	h.spawner = process.NewSpawner()
	h.life, h.endLife = context.WithCancel(context.Background())
	h.supervisor.Start()
	if err := h.awaitFirst(ctx); err != nil {
		signal.Stop(signals)
		h.abort()
		return nil, err
	}
	h.tasks.Go(h.beat)
	h.listenForReload(signals)
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

// Call calls an exported function with in and stores its result in out, a pointer, or nil to drop the result. Until it returns
// nobody else may write in, or use what out points to.
//
// in may be anything that the codec encodes; []byte arrives as a Buffer, json.RawMessage is sent as it is, Args is a list
// of arguments, and nil means no argument. An out of type *[]byte gets the result's bytes undecoded, whatever they are, in memory
// of their own; *bytes.Buffer has them appended, so that its memory can be used again after Reset; *json.RawMessage gets JSON.
// Encoded passes both on, and says in which codec they are. A result that can't be decoded is an error; out may hold a part of it
// then, and with the codec JSON an UnmarshalJSON or UnmarshalText of out's types may have run twice.
//
// The context's deadline and cancellation end the call for the caller at once; the function sees them as
// currentCall().signal. method, trace id and traceparent have room for 16,000 bytes together.
//
// Every error is an *Error, with any code but boot_failed. On a nil Host, which Start returns with its error, it is closed.
func (h *Host) Call(ctx context.Context, method string, in, out any, options ...CallOption) error {
	if h == nil {
		return &Error{Code: CodeClosed, Method: method, Message: "the host did not start: Start's error says why; the call did not run"}
	}
	settings := callSettings{timeout: h.options.CallTimeout, convention: h.options.Convention, idempotent: h.isIdempotent(method)}
	if len(options) > 0 {
		settings = settings.with(options)
	}
	if settings.traceID == "" {
		settings.traceID = TraceID(ctx)
	}
	if settings.traceparent == "" {
		settings.traceparent = Traceparent(ctx)
	}
	err := h.call(ctx, method, in, out, settings)
	h.counters.count(err)
	if err == nil {
		return nil
	}
	return err.of(method)
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

// FlushLog returns when Options.Logger has what the JavaScript printed in calls that have ended, but for what native code
// and children wrote to stderr. Logging goes on beside the calls, which matters where the program may be stopped
// between them. Its error is of type *Error, deadline_exceeded or canceled, if the context ended before.
func (h *Host) FlushLog(ctx context.Context) error {
	if h == nil {
		return nil
	}
	return h.logs.flush(ctx)
}

// Close shuts the host down within Options.DrainTimeout; see Shutdown. It returns nil when every call in flight had ended
// by then, and for a nil Host, which Start returns with its error.
func (h *Host) Close() error {
	if h == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.options.DrainTimeout)
	defer cancel()
	return h.Shutdown(ctx)
}

// Shutdown takes no further calls, waits until those in flight have ended or the context has, and ends the workers: end of
// stdin, TERM after Options.KillGrace, KILL after another. It returns when no process and no goroutine of the host is
// left, but for one in a Logger that takes more than a second for the last lines; with a deadline_exceeded or canceled error
// if the context ended first: calls cut off by that fail with CodeClosed.
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
	err := h.awaitQuiet(ctx)
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

// awaitQuiet has no further call sent, and returns when nobody waits for one any more, or when the context ends before that.
func (h *Host) awaitQuiet(ctx context.Context) error {
	slots := h.pool.Stats().Slots
	for _, slot := range slots {
		slot.Resource.conn.Refuse()
	}
	for _, slot := range slots {
		quiet := slot.Resource.conn.Quiet()
		select {
		case <-quiet:
			continue
		default:
		}
		select {
		case <-quiet:
		case <-ctx.Done():
			return contextError(ctx, "calls were still in flight")
		}
	}
	return nil
}

func (h *Host) isEnding() bool {
	select {
	case <-h.ending:
		return true
	default:
		return false
	}
}
