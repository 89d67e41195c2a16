package conn

import (
	"io"
	"runtime"
	"slices"
	"sync"

	"rootbridge/internal/frame"
)

const (
	// yieldFrom is the number of waiting calls, of all workers, from which the writer lets other callers run before it writes,
	// so that one write takes their frames along. Below it the wait costs more than the write.
	yieldFrom = 32
	// maxRounds bounds how many writes a caller does for others before a goroutine takes over.
	maxRounds = 16
	// uncopied is the size in bytes from which a payload is written by a system call of its own and not gathered.
	uncopied = 64 << 10
	// headsRoom is what the heads of loans gather in while others are written, in bytes, and leastRoom fits most heads.
	headsRoom = 4 << 10
	leastRoom = 256
	// keptBuffer is the largest gather buffer kept for the next round, in bytes.
	keptBuffer = 1 << 20
)

// outbox combines frames: whoever finds it idle writes, and the frames that gather in the meantime go with its next write.
// Nobody ever waits for the worker to read: what the pipe does not take at once is left to a goroutine.
//
// Law: mu is the Conn's and guards all fields but sink and tryWrite, which belong to whoever set flushing, and once ending is set and nobody
// is the writer, to whoever set that.
type outbox struct {
	mu         *sync.Mutex
	sink       sink
	tryWrite   func(p []byte) (int, error) // the sink's, bound once so that a write allocates nothing
	unwritable func(error)

	large    []turn // what waits before gathered: large payloads, and the frames between them
	gathered []byte // frames that wait for the writer
	pongs    int    // among them
	queued   uint64 // bytes so far of frames that were gathered or written
	taken    uint64 // of those, the bytes that a writer has begun with, or may have
	spare    []byte // the buffer that the writer is using, or used last
	flushing bool   // somebody is the writer
	ending   bool   // nothing is added any more, and whoever has written the last of it closes the sink
	closed   bool
}

// sink is where an outbox writes.
type sink interface {
	// tryWrite writes what the pipe takes without waiting.
	tryWrite(p []byte) (int, error)
	io.WriteCloser
	// writeLoan writes what is left of a loan, waiting for the pipe, and reads no caller's memory while it waits.
	writeLoan(l *loan) error
}

// turn is what is written next: gathered frames, or a large payload. With neither there is nothing to write.
type turn struct {
	frames []byte
	loan   *loan
}

// writeAndUnlock writes a frame, or leaves it to the current writer, and unlocks mu. waiting is the number of calls that
// somebody waits for. Afterwards meta may be used again, and payload unless it was lent: then once the loan is reclaimed.
func (o *outbox) writeAndUnlock(header frame.Header, meta, payload []byte, waiting int) *loan {
	if o.closed || o.ending {
		o.mu.Unlock()
		return nil
	}
	o.queued += uint64(frame.HeaderSize + len(meta) + len(payload))
	o.gathered = append(frame.AppendHeader(o.gathered, header), meta...)
	if len(payload) >= uncopied {
		return o.lendAndUnlock(newLoan(payload))
	}
	if o.flushing {
		o.gathered = append(o.gathered, payload...)
		o.mu.Unlock()
		return nil
	}
	o.flushing = true
	o.gathered = append(o.gathered, payload...)
	o.mu.Unlock()
	if isBusy(waiting) {
		runtime.Gosched()
	}
	o.flush(o.next())
	return nil
}

// isBusy tells whether others are likely to have more for this writer. Workers with calls have about as many each.
func isBusy(waiting int) bool {
	return waiting > 1 && waiting*int(working.Load()) >= yieldFrom
}

// lendAndUnlock does not copy the payload, whose head is gathered, among others: to make room for many of them again and again
// would cost far more than to write them.
func (o *outbox) lendAndUnlock(payload *loan) *loan {
	if o.flushing {
		o.large = append(o.large, turn{frames: o.gathered}, turn{loan: payload})
		o.gathered = roomBehind(o.gathered)
		o.mu.Unlock()
		return payload
	}
	o.flushing = true
	head := o.takeLocked()
	o.taken -= payload.size
	o.large = append(o.large, turn{loan: payload})
	o.mu.Unlock()
	o.flush(head)
	return payload
}

// roomBehind is where more may gather while frames wait: the rest of their memory, or new memory for the heads of many loans.
func roomBehind(frames []byte) []byte {
	if room := frames[len(frames):]; cap(room) >= leastRoom {
		return room
	}
	return make([]byte, 0, headsRoom)
}

// flush writes what is next, then whatever has gathered, until nothing is left, the pipe is full, or it has done enough.
func (o *outbox) flush(t turn) {
	for range maxRounds {
		if t.isEmpty() {
			return
		}
		rest, err := o.try(t)
		if err != nil {
			o.fail(err)
			return
		}
		if !rest.isEmpty() {
			go o.drain(rest)
			return
		}
		t = o.next()
	}
	go o.drain(t)
}

// drain is flush for a pipe that is full: it waits for the worker to read. It ends at the latest when the pipe is closed.
func (o *outbox) drain(t turn) {
	for !t.isEmpty() {
		if err := o.write(t); err != nil {
			o.fail(err)
			return
		}
		t = o.next()
	}
}

// try writes what the pipe takes without waiting, and returns the rest.
func (o *outbox) try(t turn) (rest turn, err error) {
	if t.loan == nil {
		n, err := o.tryWrite(t.frames)
		return turn{frames: t.frames[n:]}, err
	}
	done, err := t.loan.write(o.tryWrite)
	if done {
		return turn{}, err
	}
	return t, err
}

func (o *outbox) write(t turn) error {
	if t.loan != nil {
		return o.sink.writeLoan(t.loan)
	}
	_, err := o.sink.Write(t.frames)
	return err
}

// dropLocked forgets what no writer has begun with. The rest of a frame whose head is with the writer stays.
func (o *outbox) dropLocked() {
	dropped := o.large
	o.queued, o.large, o.gathered = o.taken, nil, nil
	if len(dropped) > 0 && dropped[0].loan != nil {
		o.large = dropped[:1:1]
		o.queued += dropped[0].size()
		dropped = dropped[1:]
	}
	cancelLoans(dropped)
}

func cancelLoans(turns []turn) {
	for _, t := range turns {
		if t.loan != nil {
			t.loan.cancel()
		}
	}
}

// end closes the sink behind all that waits to be written.
func (o *outbox) end() {
	o.mu.Lock()
	o.ending = true
	isIdle := !o.flushing
	o.mu.Unlock()
	if isIdle {
		_ = o.sink.Close()
	}
}

func (t turn) isEmpty() bool { return len(t.frames) == 0 && t.loan == nil }

// next takes what has gathered. With nothing there it ends the writer's turn.
func (o *outbox) next() turn {
	o.mu.Lock()
	if len(o.large)+len(o.gathered) > 0 && !o.closed {
		t := o.takeLocked()
		o.mu.Unlock()
		return t
	}
	o.flushing = false
	isEnding := o.ending
	o.mu.Unlock()
	if isEnding {
		_ = o.sink.Close()
	}
	return turn{}
}

// takeLocked returns the first of what waits, which is the writer's until it takes again.
func (o *outbox) takeLocked() turn {
	o.pongs = 0 // the worker reads
	if len(o.large) > 0 {
		t := o.large[0]
		o.large = slices.Delete(o.large, 0, 1) // its memory is used again
		o.taken += t.size()
		return t
	}
	frames := o.gathered
	o.taken = o.queued
	o.gathered, o.spare = o.spare[:0], frames
	if cap(frames) > keptBuffer {
		o.spare = nil
	}
	return turn{frames: frames}
}

func (t turn) size() uint64 {
	if t.loan != nil {
		return t.loan.size
	}
	return uint64(len(t.frames))
}

func (o *outbox) fail(err error) {
	o.mu.Lock()
	closed := o.closed
	o.closeLocked()
	o.mu.Unlock()
	if !closed {
		o.unwritable(err)
	}
}

func (o *outbox) closeLocked() {
	o.closed = true
	cancelLoans(o.large)
	o.large, o.gathered, o.spare = nil, nil, nil
}
