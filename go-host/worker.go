package rootbridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
	"rootbridge/internal/pool"
	"rootbridge/internal/process"
)

// errAbandoned means that the caller stopped waiting and the call still runs.
var errAbandoned = errors.New("abandoned")

// worker is one worker process that has become ready, and its connection.
//
// Law: mu guards fatal, killed, retiring and leaving. Everything else is set before the worker gets into the pool.
type worker struct {
	host    *Host
	process *process.Process
	reader  *frame.Reader
	conn    *conn.Conn
	slot    *pool.Slot[*worker]
	methods []string
	calls   atomic.Uint64

	ended   chan struct{} // closed when the connection has ended and the process was waited for
	retired chan string   // cap 1; gets the reason for which the worker should be replaced
	probe   probe

	mu       sync.Mutex
	fatal    *Error // what the worker said just before its end
	killed   *Error // why the host killed it
	retiring bool
	leaving  bool // the worker itself asked to be replaced
}

// send writes a call. It fails with an *Error, or with any other error when the worker takes no calls any more.
func (w *worker) send(call *conn.Call, limit limit, meta frame.CallMeta, argument payload) error {
	meta.Timeout = limit.left()
	call.Deadline = limit.own
	var scratch [256]byte
	err := w.conn.Send(call, argument.encoding, frame.AppendCallMeta(scratch[:0], meta), argument.bytes)
	if errors.Is(err, conn.ErrTooLarge) {
		return &Error{Code: CodeTooLarge, Message: err.Error(), err: err}
	}
	if err != nil {
		return errNotBegun
	}
	w.calls.Add(1)
	return nil
}

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
	return w.sign(&Error{
		Code:    CodeWorkerCrashed,
		Message: fmt.Sprintf("the worker process ended during the call (%s)", w.process.Exit()),
	})
}

func (w *worker) sign(e *Error) *Error {
	signed := *e
	signed.WorkerPID = w.pid()
	if e.Code != CodeClosed {
		signed.Stderr = w.process.Stderr.String()
	}
	return &signed
}

// endsInOrder tells whether the host itself retires the worker.
func (w *worker) endsInOrder() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.retiring && !w.leaving
}

// lastWords says why a worker that leaves, or has ended, does so.
func (w *worker) lastWords() error {
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
	return &Error{Code: CodeWorkerCrashed, Message: "the worker asked to be replaced soon after its start", WorkerPID: w.pid()}
}

// kill ends the worker at once. Only the first reason counts.
func (w *worker) kill(reason *Error) {
	w.mu.Lock()
	if w.killed == nil {
		w.killed = reason
	}
	w.mu.Unlock()
	w.process.Kill()
}

// stop ends the worker in order, when nobody waits for it any more or may any longer.
func (w *worker) stop() {
	w.conn.Goaway()
	w.process.Stop(w.host.options.KillGrace)
}

// retire asks for the worker's replacement. Only the first reason counts.
func (w *worker) retire(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.retiring {
		w.retiring = true
		w.retired <- reason
	}
}

// Settled frees the call's place.
func (w *worker) Settled(*conn.Call) { w.host.pool.Release(w.slot) }

// Log hands a line on to the host's logger.
func (w *worker) Log(meta frame.LogMeta, _ uint32, encoding frame.Encoding, payload []byte) {
	w.host.logs.frame(w.pid(), meta, encoding, payload)
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

// Stats says what the worker uses. Nobody asks it yet.
func (w *worker) Stats(frame.StatsMessage) {}

// Goaway replaces the worker. One that goes on serving keeps its place until its replacement is ready.
func (w *worker) Goaway(meta frame.GoawayMeta) {
	if !meta.Serving {
		w.host.pool.Drain(w.slot)
	}
	w.mu.Lock()
	w.leaving = true
	w.mu.Unlock()
	w.retire("it asked to be replaced: " + meta.Reason)
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
