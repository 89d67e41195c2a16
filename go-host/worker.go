package rootbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
	"rootbridge/internal/pool"
	"rootbridge/internal/process"
	"rootbridge/internal/supervisor"
)

// errAbandoned means that the caller stopped waiting and the call still runs.
var errAbandoned = errors.New("abandoned")

// worker is one worker process that has become ready, and its connection.
//
// Law: mu guards what is below it, probe guards itself, and heartbeat belongs to Host.beat. Everything else is set before
// the worker gets into the pool.
type worker struct {
	host       *Host
	process    *process.Process
	reader     *frame.Reader
	conn       *conn.Conn
	slot       *pool.Slot[*worker]
	methods    []string
	generation int       // of its code
	since      time.Time // it is ready
	bounds     bounds
	inspector  string // where a debugger can attach, or ""

	calls atomic.Uint64
	stats atomic.Pointer[frame.StatsMessage] // as it told last, or nil
	ended chan struct{}                      // closed when the connection has ended and the process was waited for
	probe probe
	heartbeat

	begun sync.Once

	mu      sync.Mutex
	fatal   *Error // what the worker said just before its end
	killed  *Error // why the host killed it, or ends it before its calls
	goodbye string // for which reason the worker takes no further calls, or ""
}

// heartbeat is what Host.beat remembers of a worker.
type heartbeat struct {
	seenCalls uint64
	idleSince time.Time
	fullBeats int

	seenUtilization float64
}

// Ended is closed when nothing of the worker is left.
func (w *worker) Ended() <-chan struct{} { return w.ended }

// Served tells whether the worker has answered any call.
func (w *worker) Served() bool { return w.conn.Answered() > 0 }

// send writes a call. It fails with an *Error, with errTooLate, or with errNotBegun when the worker takes no calls any more.
func (w *worker) send(call *conn.Call, limit limit, meta frame.CallMeta, argument payload) error {
	left, ok := limit.left()
	if !ok {
		return errTooLate
	}
	meta.Timeout = left
	call.Deadline, call.Size, call.Lasting = limit.own, len(argument.bytes), meta.Lambda != nil
	var scratch [256]byte
	err := w.conn.Send(call, argument.encoding, frame.AppendCallMeta(scratch[:0], meta), argument.bytes)
	if errors.Is(err, conn.ErrTooLarge) {
		return &Error{Code: CodeTooLarge, Message: err.Error(), err: err}
	}
	if err != nil {
		return errNotBegun
	}
	if w.calls.Add(1) == w.bounds.calls {
		w.host.supervisor.Replace(w, reasonCalls)
	}
	return nil
}

// errTooLate means that the call's time was over before it could be sent.
var errTooLate = errors.New("too late")

// errNotBegun means that the worker has not begun the call and will not.
var errNotBegun = errors.New("not begun")

// await waits for the answer. It fails with the connection's *Error, with errAbandoned, or with errNotBegun.
func (w *worker) await(ctx context.Context, call *conn.Call) error {
	ended := ctx.Done()
	if ended == nil { // a plain wait is cheaper
		return outcome(call, <-call.Done)
	}
	select {
	case signal := <-call.Done:
		return outcome(call, signal)
	case <-ended:
	}
	if w.conn.Abandon(call, string(reasonOf(ctx))) {
		return errAbandoned
	}
	return outcome(call, <-call.Done)
}

func reasonOf(ctx context.Context) Code {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return CodeDeadlineExceeded
	}
	return CodeCanceled
}

func outcome(call *conn.Call, signal conn.Signal) error {
	if signal == conn.Expired {
		return errAbandoned
	}
	if errors.Is(call.Err, conn.ErrNotStarted) {
		return errNotBegun
	}
	return call.Err
}

func (w *worker) pid() int { return w.process.PID() }

// begin has the worker's frames read, once it is known to whom it belongs.
func (w *worker) begin() { w.begun.Do(func() { w.host.tasks.Go(w.serve) }) }

// serve reads the worker's frames until its end.
func (w *worker) serve() {
	w.conn.Serve(w.reader, w.failure)
	w.process.Discard()
	<-w.process.Done()
	close(w.ended)
}

// failure ends the process, whose connection is over, and says why for the calls in flight. A worker that died while it
// wrote a frame has crashed; one that lives on has broken the protocol.
func (w *worker) failure(reason error) error {
	w.host.pool.Drain(w.slot)
	grace := w.host.options.KillGrace
	var broken *frame.BrokenError
	if errors.As(reason, &broken) && (!broken.Truncated || !w.process.ExitsWithin(grace)) {
		w.kill(&Error{
			Code:    CodeProtocolError,
			Message: fmt.Sprintf("the worker broke the protocol and was killed: %v; the function may have run", reason), err: reason,
		})
	}
	w.endWithin(grace)
	return w.epitaph()
}

// endWithin waits for a process that should be ending, and kills it if it does not.
func (w *worker) endWithin(grace time.Duration) {
	timer := time.AfterFunc(grace, w.process.Kill)
	defer timer.Stop()
	<-w.process.Done()
}

// epitaph says why the process has ended. It is called after that.
func (w *worker) epitaph() *Error {
	w.mu.Lock()
	killed, fatal := w.killed, w.fatal
	w.mu.Unlock()
	switch {
	case killed != nil:
		return w.sign(killed)
	case w.host.isEnding():
		return w.sign(&Error{Code: CodeClosed, Message: "the host was closed before the call had ended; it may have run"})
	case fatal != nil:
		return w.sign(fatal)
	}
	message := fmt.Sprintf("the worker process ended during the call (%s)", w.process.Exit())
	if strings.Contains(w.process.Stderr.String(), outOfHeap) {
		message = "the worker ran out of heap and ended during the call; raise Options.MaxHeap, or use less"
	}
	return w.sign(&Error{Code: CodeWorkerCrashed, Message: message})
}

// outOfHeap is what V8 says before it gives up.
const outOfHeap = "JavaScript heap out of memory"

func (w *worker) sign(e *Error) *Error {
	signed := *e
	signed.WorkerPID = w.pid()
	signed.isEndOfWorker = e.Code == CodeWorkerCrashed || e.Code == CodeProtocolError
	if e.Code != CodeClosed {
		signed.Stderr = w.process.Stderr.String()
	}
	return &signed
}

// LastWords says why a worker that leaves, or has ended, does so.
func (w *worker) LastWords() error {
	select {
	case <-w.ended:
		return w.epitaph()
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fatal != nil {
		return w.sign(w.fatal)
	}
	return &Error{Code: CodeWorkerCrashed, Message: "the worker asked to be replaced soon after its start: " + w.goodbye, WorkerPID: w.pid()}
}

// kill ends the worker at once. Only the first reason counts.
func (w *worker) kill(reason *Error) {
	w.condemn(reason)
	w.process.Kill()
}

// condemn says why the worker will be ended before its calls. Only the first reason counts.
func (w *worker) condemn(reason *Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed == nil {
		w.killed = reason
	}
}

// stop ends the worker in order, when nobody waits for it any more or may any longer.
func (w *worker) stop() {
	w.conn.Goaway()
	w.process.AwaitEnd(w.host.options.KillGrace)
}

// Settled frees the call's place, and the bytes of one that its caller has left.
func (w *worker) Settled(call *conn.Call) {
	w.host.pool.Release(w.slot)
	if call.Abandoned() {
		w.host.budget.give(call.Size)
	}
}

// Log hands a line on to the host's logger.
func (w *worker) Log(meta frame.LogMeta, _ uint32, encoding frame.Encoding, payload []byte) {
	w.host.logs.frame(w.pid(), meta, encoding, payload)
	keepWords(w.process.Stderr, meta, payload)
}

// Fatal keeps the worker's last words for the calls that die with it.
func (w *worker) Fatal(payload []byte) {
	fatal := parseError(payload)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fatal == nil {
		w.fatal = fatal
	}
}

// Pong shows that the event loop turns.
func (w *worker) Pong() { w.alive() }

// Stats keeps what the worker tells of itself.
func (w *worker) Stats(message frame.StatsMessage) { w.stats.Store(&message) }

// told is what the worker told of itself last.
func (w *worker) told() frame.StatsMessage {
	if stats := w.stats.Load(); stats != nil {
		return *stats
	}
	return frame.StatsMessage{}
}

// utilization is how busy the event loop was between the last two heartbeats, 0 to 1.
func (w *worker) utilization() float64 {
	if elu := w.told().ELU; elu != nil {
		return *elu
	}
	return 0
}

// rss is the resident memory in bytes: as the operating system says, or else as the worker did.
func (w *worker) rss() int64 {
	if bytes, ok := w.process.RSS(); ok {
		return bytes
	}
	return w.told().RSS
}

// Goaway replaces the worker: new before old when it goes on serving meanwhile.
func (w *worker) Goaway(meta frame.GoawayMeta) {
	if meta.Serving {
		w.host.supervisor.Replace(w, goawayReason(meta))
		return
	}
	w.host.pool.Drain(w.slot)
	w.mu.Lock()
	w.goodbye = meta.Reason
	w.mu.Unlock()
	w.host.supervisor.Leave(w, goawayReason(meta))
}

// signalText is how a worker names the signal for which it asks to be replaced.
const signalText = "SIGUSR2"

func goawayReason(meta frame.GoawayMeta) supervisor.Reason {
	if meta.Reason == signalText {
		return reasonSignal
	}
	return reasonGoaway
}

// Unwritable kills a worker that takes no more calls: those in flight on it could wait for ever.
func (w *worker) Unwritable(err error) {
	w.host.pool.Drain(w.slot)
	time.AfterFunc(w.host.options.KillGrace, func() {
		if !w.hasExited() { // else its own words say more
			w.kill(&Error{Code: CodeWorkerCrashed, Message: "the worker closed its stdin and was killed", err: err})
		}
	})
}
