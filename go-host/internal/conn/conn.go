// Package conn multiplexes calls over one worker's pipes: it gives ids, writes frames together, and hands each answer to
// exactly the call that it belongs to.
package conn

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge/internal/frame"
)

// Handler is what a Conn tells its owner. Its methods are called from the Conn's reading goroutine unless they say
// otherwise; none may block.
type Handler interface {
	// Settled is called once for each call that was sent, from any goroutine, when its id is free again.
	Settled(call *Call)
	// Log is called for each log frame. The payload is the handler's to keep.
	Log(meta frame.LogMeta, id uint32, encoding frame.Encoding, payload []byte)
	// Fatal is called for an error frame that is about the connection.
	Fatal(payload []byte)
	// Pong is called for the answer to each Ping.
	Pong()
	// Goaway is called when the worker wants to be replaced. If it is serving it still takes calls, until Conn.Refuse.
	Goaway(meta frame.GoawayMeta)
	// Stats is called for the answer to each AskStats.
	Stats(message frame.StatsMessage)
	// Unwritable is called, at most once and from any goroutine, when the worker's stdin takes no more bytes.
	Unwritable(err error)
}

// Signal is how the wait for a call ended.
type Signal uint8

// The signals.
const (
	// Settled: the answer is there, or the connection has ended.
	Settled Signal = iota + 1
	// Expired: the deadline has passed, and the call was abandoned. It must not be touched again but by Reclaim.
	Expired
)

// Call is one call in flight. Its answer may be read after Done has delivered Settled.
type Call struct {
	// Done delivers once.
	Done chan Signal

	// Deadline is set before Send. Zero means none.
	Deadline time.Time

	// Size is the caller's to set before Send, and to read when the call has settled.
	Size int

	// Lasting is set before Send for a call that goes on when it is canceled: Quiet waits for it until Forsake.
	Lasting bool

	// The answer: a reply or error frame's kind, encoding, meta and payload, or Err when the connection ended before it.
	Kind     frame.Kind
	Encoding frame.Encoding
	Meta     frame.ReplyMeta
	Payload  []byte
	Err      error

	id        uint32
	offset    uint64 // of its frame among all bytes written; law: Conn.mu
	abandoned bool   // nobody waits any more; law: Conn.mu
	lingers   bool   // and Quiet does nevertheless; law: Conn.mu
	loan      *loan  // set by Send
}

var calls = sync.Pool{New: func() any { return &Call{Done: make(chan Signal, 1)} }}

// NewCall returns an empty call.
func NewCall() *Call {
	return calls.Get().(*Call) //nolint:errcheck // the pool holds nothing else
}

// Recycle gives a call back whose Done has delivered Settled, or that was never sent.
func (c *Call) Recycle() {
	*c = Call{Done: c.Done}
	calls.Put(c)
}

// Sent tells whether the call got an id, so that the worker may have seen it.
func (c *Call) Sent() bool { return c.id != 0 }

// Reclaim makes the payload of a call that was sent its caller's again, whatever has become of the call: also when it was
// abandoned.
func (c *Call) Reclaim() {
	if c.loan != nil {
		c.loan.reclaim()
	}
}

// Abandoned tells, once the call has settled, whether nobody waited for it any more.
func (c *Call) Abandoned() bool { return c.abandoned }

// ErrNotStarted wraps a Call's Err when the worker said that it did not and will not start the call, or never got any of it.
var ErrNotStarted = errors.New("the worker did not start the call")

// ErrTooLarge is returned by Send for a payload over the peer's limit.
var ErrTooLarge = errors.New("payload over the worker's limit")

// Conn is one worker's connection.
//
// Law: mu guards everything below it and is never held during I/O, a Handler's method or anything else that can wait.
type Conn struct {
	handler    Handler
	maxPayload int // of the peer
	answered   atomic.Uint64
	late       atomic.Uint64
	strays     atomic.Uint64

	mu      sync.Mutex
	err     error // why the connection has ended, or nil
	lastID  uint32
	calls   inFlight
	refuses bool          // no further call may be sent
	waiting int           // calls in flight that somebody waits for
	lasting int           // and that linger
	quiet   chan struct{} // if not nil, closed when both reach 0
	out     outbox
	deadlines
}

// New returns a connection that writes to w, and closes it in Goaway. Nothing is read until Serve is called.
func New(w io.WriteCloser, maxPayload int, handler Handler) *Conn {
	c := &Conn{handler: handler, maxPayload: maxPayload, calls: newInFlight(64)}
	s := newSink(w)
	c.out = outbox{mu: &c.mu, sink: s, tryWrite: s.tryWrite, unwritable: handler.Unwritable}
	return c
}

// Serve reads frames until the connection ends, fails what is in flight with the error that failure makes of the reason
// (nil for the end of the stream), and returns. It must be called once.
func (c *Conn) Serve(reader *frame.Reader, failure func(reason error) error) {
	var reason error
	for reason == nil {
		var f frame.Frame
		if f, reason = reader.Next(); reason == nil {
			reason = c.dispatch(f)
		}
	}
	if errors.Is(reason, io.EOF) {
		reason = nil
	}
	c.Fail(failure(reason))
}

func (c *Conn) dispatch(f frame.Frame) error {
	switch f.Kind {
	case frame.Reply, frame.Error:
		if f.ID != 0 {
			c.answer(f)
			return nil
		}
		if f.Kind == frame.Error {
			c.handler.Fatal(f.Payload)
		}
	case frame.Log:
		meta, err := frame.ParseLog(f.Meta)
		if err != nil {
			c.strays.Add(1)
		}
		c.handler.Log(meta, f.ID, f.Encoding, f.Payload)
	case frame.Ping:
		return c.pong(f.Payload)
	case frame.Goaway:
		return c.leave(f.Meta)
	case frame.Hello:
		return &frame.BrokenError{Reason: "a second hello"}
	case frame.Pong:
		c.handler.Pong()
	case frame.Stats:
		c.stats(f.Payload)
	default:
		c.strays.Add(1)
	}
	return nil
}

// answer settles the call with the frame's id. An answer that nobody waits for is dropped and counted.
func (c *Conn) answer(f frame.Frame) {
	c.mu.Lock()
	call := c.calls.get(f.ID)
	if call == nil {
		c.mu.Unlock()
		c.strays.Add(1)
		return
	}
	c.takeLocked(call)
	c.mu.Unlock()
	c.answered.Add(1)
	c.handler.Settled(call)
	if call.abandoned {
		c.late.Add(1)
		frame.Recycle(f.Payload)
		return
	}
	call.Kind, call.Encoding, call.Payload = f.Kind, f.Encoding, f.Payload
	if len(f.Meta) > 0 {
		call.Meta = c.replyMeta(f)
	}
	call.Done <- Settled
}

func (c *Conn) replyMeta(f frame.Frame) frame.ReplyMeta {
	if f.Kind != frame.Reply {
		return frame.ReplyMeta{}
	}
	meta, err := frame.ParseReply(f.Meta)
	if err != nil {
		c.strays.Add(1)
	}
	return meta
}

// leave takes a worker's goaway: unless it goes on serving it gets no further calls, and those after last_id end as not
// started.
func (c *Conn) leave(meta []byte) error {
	goaway, err := frame.ParseGoaway(meta)
	if err != nil {
		return &frame.BrokenError{Reason: err.Error()}
	}
	if goaway.Serving {
		c.handler.Goaway(goaway)
		return nil
	}
	c.mu.Lock()
	c.refuses = true
	var unstarted []*Call
	for call := range c.calls.all() {
		if goaway.LastID != nil && isAfter(call.id, *goaway.LastID) {
			c.takeLocked(call)
			unstarted = append(unstarted, call)
		}
	}
	c.mu.Unlock()
	c.handler.Goaway(goaway) // before there is room on the worker, which nobody should be given
	c.fail(unstarted, fmt.Errorf("%w: %s", ErrNotStarted, goaway.Reason))
	return nil
}

// maxPongs is how many answers to pings may wait for a worker that does not read them.
const maxPongs = 1024

// pong answers a ping.
func (c *Conn) pong(payload []byte) error {
	if len(payload) > frame.MaxPing {
		c.strays.Add(1)
		return nil
	}
	c.mu.Lock()
	if c.out.pongs >= maxPongs {
		c.mu.Unlock()
		return &frame.BrokenError{Reason: fmt.Sprintf("%d pings without reading the answers", maxPongs)}
	}
	c.out.pongs++
	c.out.writeAndUnlock(frame.Header{Kind: frame.Pong, Encoding: frame.Raw, PayloadLength: len(payload)}, nil, payload, c.waiting)
	return nil
}

// stats hands on what a worker says of itself. What can't be read is advice lost, and no more.
func (c *Conn) stats(payload []byte) {
	message, err := frame.ParseStats(payload)
	frame.Recycle(payload)
	if err != nil {
		c.strays.Add(1)
		return
	}
	c.handler.Stats(message)
}

// isAfter tells whether id was given after last. Ids ascend and wrap, and far fewer than half of them are in flight.
func isAfter(id, last uint32) bool {
	return id != last && (id-last)&frame.MaxCallID < frame.MaxCallID/2
}

// Send gives the call an id and writes its frame. When Send returns nil the call will settle. meta may be used again when Send
// has returned, payload when Reclaim has. The caller has checked meta's length.
func (c *Conn) Send(call *Call, encoding frame.Encoding, meta, payload []byte) error {
	if len(payload) > c.maxPayload {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(payload), c.maxPayload)
	}
	c.mu.Lock()
	if err := c.closedLocked(); err != nil {
		c.mu.Unlock()
		return err
	}
	call.id = c.nextIDLocked()
	c.calls.add(call)
	c.startWaitingLocked()
	call.offset = c.out.queued
	c.watchLocked(call)
	call.loan = c.out.writeAndUnlock(frame.Header{
		Kind: frame.Call, Encoding: encoding, ID: call.id, MetaLength: len(meta), PayloadLength: len(payload),
	}, meta, payload, c.waiting)
	return nil
}

func (c *Conn) closedLocked() error {
	if c.err != nil {
		return c.err
	}
	if c.refuses {
		return ErrNotStarted
	}
	return nil
}

func (c *Conn) nextIDLocked() uint32 {
	for {
		c.lastID = c.lastID%frame.MaxCallID + 1
		if c.calls.get(c.lastID) == nil {
			return c.lastID
		}
	}
}

// Abandon says that nobody waits for the call any more, for a reason of the protocol's (a code), and tells the worker.
// It returns false when the call has settled in the meantime: then Done delivers at once. After true the call must not
// be touched again but by Reclaim.
func (c *Conn) Abandon(call *Call, reason string) bool {
	c.mu.Lock()
	if c.calls.get(call.id) != call {
		c.mu.Unlock()
		return false
	}
	if call.abandoned { // it expired just now
		c.mu.Unlock()
		return true
	}
	if call.Lasting && reason != reasonDeadline {
		call.lingers = true
		c.lasting++
	}
	c.abandonLocked(call)
	id := call.id
	c.mu.Unlock()
	c.write(frame.Cancel, id, frame.AppendCancelMeta(nil, reason))
	return true
}

// Forsake says that a lasting call that was abandoned has had its time. It returns false when the call has settled.
func (c *Conn) Forsake(call *Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls.get(call.id) != call {
		return false
	}
	c.stopLastingLocked(call)
	return true
}

// abandonLocked lets the call's id be in flight until its late answer. The call is never recycled: its caller may still
// hold it.
func (c *Conn) abandonLocked(call *Call) {
	call.abandoned = true
	c.stopWaitingLocked()
}

// Ping asks the worker for a sign of life, which the handler gets once its event loop has come to it.
func (c *Conn) Ping() { c.write(frame.Ping, 0, nil) }

// AskStats asks the worker what it uses. The handler gets the answer once the worker's event loop has come to it. A worker
// that knows no stats never answers, so a missing answer says nothing: only Ping tells a blocked loop.
func (c *Conn) AskStats() { c.write(frame.Stats, 0, nil) }

// Refuse has no further call sent.
func (c *Conn) Refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuses = true
}

// Goaway tells the worker to finish what it runs and to end, and closes its input behind that. Nothing can be sent after it, and
// calls of which nothing was sent fail as not started. It does not wait for a worker that does not read.
func (c *Conn) Goaway() {
	c.mu.Lock()
	c.refuses = true
	unsent := c.takeUnsentLocked()
	c.out.dropLocked()
	c.mu.Unlock()
	c.fail(unsent, errUnsent)
	c.write(frame.Goaway, 0, nil)
	c.out.end()
}

// Quiet returns a channel that is closed when nobody waits for a call any more, and none is lasting. Only after Refuse does
// that last.
func (c *Conn) Quiet() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet == nil {
		c.quiet = make(chan struct{})
	}
	quiet := c.quiet
	c.tellQuietLocked()
	return quiet
}

// Answered is the number of calls that the worker has answered so far.
func (c *Conn) Answered() uint64 { return c.answered.Load() }

// Late is the number of answers dropped because nobody waited for them any more.
func (c *Conn) Late() uint64 { return c.late.Load() }

// Strays is the number of frames skipped because they belonged to nothing.
func (c *Conn) Strays() uint64 { return c.strays.Load() }

// InFlight returns how many calls somebody waits for, and how many nobody does.
func (c *Conn) InFlight() (waiting, abandoned int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting, c.calls.count - c.waiting
}

// Fail ends the connection: every call in flight, and every later Send, fails with err; those of which nothing was sent fail
// as not started. Only the first Fail counts.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	unsent := c.takeUnsentLocked()
	var sent []*Call
	for call := range c.calls.all() {
		c.takeLocked(call)
		sent = append(sent, call)
	}
	c.out.closeLocked()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.fail(unsent, errUnsent)
	c.fail(sent, err)
}

var errUnsent = fmt.Errorf("%w: nothing of it was sent", ErrNotStarted)

// takeUnsentLocked takes the calls that no writer has begun with.
func (c *Conn) takeUnsentLocked() []*Call {
	var unsent []*Call
	for call := range c.calls.all() {
		if call.offset >= c.out.taken {
			c.takeLocked(call)
			unsent = append(unsent, call)
		}
	}
	return unsent
}

// takeLocked makes a call leave the connection. From then on its abandoned field does not change.
func (c *Conn) takeLocked(call *Call) {
	c.calls.remove(call)
	if !call.abandoned {
		c.stopWaitingLocked()
	}
	c.stopLastingLocked(call)
}

// working counts the connections of this process with calls that somebody waits for: their workers may need a processor each,
// and their callers are those whom a writer lets run.
var working atomic.Int32

func (c *Conn) startWaitingLocked() {
	c.waiting++
	if c.waiting == 1 {
		working.Add(1)
	}
}

func (c *Conn) stopWaitingLocked() {
	c.waiting--
	if c.waiting == 0 {
		working.Add(-1)
	}
	c.tellQuietLocked()
}

func (c *Conn) stopLastingLocked(call *Call) {
	if call.lingers {
		call.lingers = false
		c.lasting--
		c.tellQuietLocked()
	}
}

func (c *Conn) tellQuietLocked() {
	if c.waiting+c.lasting == 0 && c.quiet != nil {
		close(c.quiet)
		c.quiet = nil
	}
}

// fail ends calls that have been taken.
func (c *Conn) fail(taken []*Call, err error) {
	for _, call := range taken {
		c.handler.Settled(call)
		if !call.abandoned {
			call.Err = err
			call.Done <- Settled
		}
	}
}

// write sends a frame without a payload. On an ended connection it does nothing.
func (c *Conn) write(kind frame.Kind, id uint32, meta []byte) {
	c.mu.Lock()
	c.out.writeAndUnlock(frame.Header{Kind: kind, Encoding: frame.Raw, ID: id, MetaLength: len(meta)}, meta, nil, c.waiting)
}
