package conn

import (
	"bytes"
	"io"
	"runtime"
	"sync"

	"rootbridge/internal/frame"
)

const (
	// yieldFrom is the number of waiting calls from which the writer lets other callers run before it writes, so that one
	// write takes their frames along. Below it the wait costs more than the write.
	yieldFrom = 32
	// maxRounds bounds how many writes a caller does for others before a goroutine takes over.
	maxRounds = 16
	// uncopied is the size in bytes from which a payload is written by a system call of its own and not gathered.
	uncopied = 64 << 10
	// keptBuffer is the largest gather buffer kept for the next round, in bytes.
	keptBuffer = 1 << 20
)

// outbox combines frames: whoever finds it idle writes, and the frames that gather in the meantime go with its next write.
// Nobody ever waits for the worker to read: what the pipe does not take at once is left to a goroutine.
//
// Law: mu is the Conn's and guards all fields but sink, which belongs to whoever set flushing.
type outbox struct {
	mu         *sync.Mutex
	sink       sink
	unwritable func(error)

	large    [][]byte // pieces of frames that wait before gathered: a large payload, and what came before it
	gathered []byte   // frames that wait for the writer
	pongs    int      // among them
	queued   uint64   // bytes so far of frames that were gathered or written
	taken    uint64   // of those, the bytes that a writer has begun with, or may have
	spare    []byte   // the buffer that the writer is using, or used last
	flushing bool     // somebody is the writer
	closed   bool
}

// sink is where an outbox writes.
type sink interface {
	// tryWrite writes what the pipe takes without waiting.
	tryWrite(p []byte) (int, error)
	io.Writer
}

// writeAndUnlock writes a frame, or leaves it to the current writer, and unlocks mu. waiting is the number of calls that
// somebody waits for. Afterwards meta and payload may be used again.
func (o *outbox) writeAndUnlock(header frame.Header, meta, payload []byte, waiting int) {
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.queued += uint64(frame.HeaderSize + len(meta) + len(payload))
	o.gathered = append(frame.AppendHeader(o.gathered, header), meta...)
	if len(payload) >= uncopied {
		o.writeLargeAndUnlock(payload)
		return
	}
	if o.flushing {
		o.gathered = append(o.gathered, payload...)
		o.mu.Unlock()
		return
	}
	o.flushing = true
	o.gathered = append(o.gathered, payload...)
	o.mu.Unlock()
	if waiting >= yieldFrom {
		runtime.Gosched()
	}
	o.flush(o.next())
}

// writeLargeAndUnlock does not copy the payload, whose head is gathered, among others: to make room for many of them again and
// again would cost far more than to write them. One that has to wait is copied by itself, as its owner may change it.
func (o *outbox) writeLargeAndUnlock(payload []byte) {
	if o.flushing {
		o.large = append(o.large, o.gathered, bytes.Clone(payload))
		o.gathered = nil
		o.mu.Unlock()
		return
	}
	o.flushing = true
	head := o.takeLocked()
	o.taken = o.queued
	o.mu.Unlock()
	o.flushPair(head, payload)
}

// flushPair writes a frame whose payload is too large to be copied without need.
func (o *outbox) flushPair(head, payload []byte) {
	n, err := o.sink.tryWrite(head)
	if err == nil && n == len(head) {
		head = nil
		n, err = o.sink.tryWrite(payload)
		payload = payload[n:]
	} else {
		head = head[n:]
	}
	switch {
	case err != nil:
		o.fail(err)
	case len(head)+len(payload) > 0:
		go o.drain(append(append([]byte(nil), head...), payload...))
	default:
		o.flush(o.next())
	}
}

// flush writes frames, then whatever has gathered, until nothing is left, the pipe is full, or it has done enough.
func (o *outbox) flush(frames []byte) {
	for range maxRounds {
		if frames == nil {
			return
		}
		n, err := o.sink.tryWrite(frames)
		if err != nil {
			o.fail(err)
			return
		}
		if n < len(frames) {
			go o.drain(frames[n:])
			return
		}
		frames = o.next()
	}
	go o.drain(frames)
}

// drain is flush for a pipe that is full: it waits for the worker to read. It ends at the latest when the pipe is closed.
func (o *outbox) drain(frames []byte) {
	for frames != nil {
		if _, err := o.sink.Write(frames); err != nil {
			o.fail(err)
			return
		}
		frames = o.next()
	}
}

// next takes what has gathered. With nothing there it ends the writer's turn and returns nil.
func (o *outbox) next() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.large)+len(o.gathered) == 0 || o.closed {
		o.flushing = false
		return nil
	}
	return o.takeLocked()
}

// takeLocked returns the first of what waits, which is the writer's until it takes again.
func (o *outbox) takeLocked() []byte {
	o.pongs = 0 // the worker reads
	if len(o.large) > 0 {
		piece := o.large[0]
		o.large[0] = nil
		o.large = o.large[1:]
		o.taken += uint64(len(piece))
		return piece
	}
	frames := o.gathered
	o.taken = o.queued
	o.gathered, o.spare = o.spare[:0], frames
	if cap(frames) > keptBuffer {
		o.spare = nil
	}
	return frames
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
	o.large, o.gathered, o.spare = nil, nil, nil
}
