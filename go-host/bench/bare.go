package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge/internal/conn"
)

// loop is the limit: frames of a length, a caller and bytes over pipes, and nothing else. No deadline, no cancel, no limits, no
// errors, no end in order.
//
// Law: mu guards gathered, large, their spares and flushing. A slot is its caller's, but for the reader between send and done.
type loop struct {
	*node
	room    room
	slots   []slot
	waiting atomic.Int32 // callers

	mu         sync.Mutex
	gathered   []byte // frames that wait for the writer
	spare      []byte
	large      []frame // likewise
	spareLarge []frame
	flushing   bool // somebody writes
}

// room returns memory for an answer of this size. old is that of the answer before.
type room func(old []byte, size int) []byte

// frame refers to a payload of a caller, who waits for the answer and leaves it as it is until then.
type frame struct {
	caller  int
	payload []byte
}

type slot struct {
	answer []byte
	done   chan error
	_      [64]byte // apart from its neighbours in the processor's cache
}

// frameHead is a frame's length and caller, 4 bytes each.
const frameHead = 8

// yieldFrom is the number of waiting callers from which one write is worth waiting for others.
const yieldFrom = 32

// apart is the size in bytes from which a payload is written without a copy.
const apart = 64 << 10

// startLoop starts a loop that asks for answers for up to poll before it waits for the system, and reads them into room.
func startLoop(ctx context.Context, file string, callers int, poll time.Duration, room room) (*loop, error) {
	n, err := startNode(ctx, nil, file)
	if err != nil {
		return nil, err
	}
	l := &loop{node: n, room: room, slots: make([]slot, callers)}
	for i := range l.slots {
		l.slots[i].done = make(chan error, 1)
	}
	go l.read(conn.NewSource(n.out, poll))
	return l, nil
}

// exchange sends bytes and returns the answer, which is valid until the caller's next exchange.
func (l *loop) exchange(caller int, payload []byte) ([]byte, error) {
	s := &l.slots[caller]
	l.send(caller, payload)
	err := <-s.done
	return s.answer, err
}

// send writes what has gathered if nobody else does.
func (l *loop) send(caller int, payload []byte) {
	many := l.waiting.Add(1) >= yieldFrom
	l.mu.Lock()
	isLarge := len(payload) >= apart
	if isLarge {
		l.large = append(l.large, frame{caller, payload})
	} else {
		l.gathered = append(appendHead(l.gathered, caller, payload), payload...)
	}
	mine := !l.flushing
	l.flushing = true
	l.mu.Unlock()
	if !mine {
		return
	}
	if many && !isLarge {
		runtime.Gosched()
	}
	for l.flush() {
	}
}

func appendHead(to []byte, caller int, payload []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(payload)))
	return binary.LittleEndian.AppendUint32(to, uint32(caller))
}

// flush writes what has gathered, and returns false when that is nothing any more.
func (l *loop) flush() bool {
	l.mu.Lock()
	frames, large := l.gathered, l.large
	l.gathered, l.spare = l.spare[:0], frames
	l.large, l.spareLarge = l.spareLarge[:0], large
	l.flushing = len(frames)+len(large) > 0
	l.mu.Unlock()
	l.write(frames)
	var head [frameHead]byte
	for _, f := range large {
		l.write(appendHead(head[:0], f.caller, f.payload))
		l.write(f.payload)
	}
	return len(frames)+len(large) > 0
}

func (l *loop) write(p []byte) {
	if len(p) > 0 {
		_, _ = l.in.Write(p) // a pipe that broke is seen by the reader
	}
}

func (l *loop) read(answers io.Reader) {
	reader := bufio.NewReaderSize(answers, 256<<10)
	var head [frameHead]byte
	for {
		if _, err := io.ReadFull(reader, head[:]); err != nil {
			l.fail(err)
			return
		}
		size := int(binary.LittleEndian.Uint32(head[:]))
		s := &l.slots[binary.LittleEndian.Uint32(head[4:])]
		s.answer = l.room(s.answer, size)
		_, err := io.ReadFull(reader, s.answer)
		l.waiting.Add(-1)
		s.done <- err
	}
}

// roomFor returns memory of this size, the old one where it fits: what a work before has left would be in no cache, and in the
// memory that is measured.
func roomFor(old []byte, size int) []byte {
	if isRoomFor(cap(old), size) {
		return old[:size]
	}
	return make([]byte, size)
}

// freshRoom returns memory of the answer's own, as a caller needs who keeps it.
func freshRoom(_ []byte, size int) []byte { return make([]byte, size) }

func isRoomFor(capacity, size int) bool {
	return size <= capacity && (capacity < apart || capacity/4 <= size)
}

func (l *loop) fail(err error) {
	for i := range l.slots {
		select {
		case l.slots[i].done <- fmt.Errorf("the loop has ended: %w", err):
		default:
		}
	}
}

// bare passes bytes. Node sends them back: without looking at them, or as what a function of its own returns.
type bare struct{ *loop }

func startBare(file string, poll time.Duration, room room) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, callers int) (contender, error) {
		l, err := startLoop(ctx, file, callers, poll, room)
		return bare{l}, err
	}
}

func (b bare) Call(_ context.Context, caller int, _ string, in, out any) error {
	payload, isBytes := in.([]byte)
	target, wantsBytes := out.(*[]byte)
	if !isBytes || !wantsBytes {
		return fmt.Errorf("expected bytes, got a %T for a %T", in, out)
	}
	var err error
	*target, err = b.exchange(caller, payload)
	return err
}
