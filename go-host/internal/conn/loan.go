package conn

import (
	"bytes"
	"sync"
)

// loan is what the writer has not written yet of a large payload whose memory is a caller's.
//
// Law: mu guards bytes and own, and is held while the memory is read: for a write of a step that does not wait.
type loan struct {
	size uint64 // of the whole, never changed

	mu    sync.Mutex
	bytes []byte
	own   bool // the memory is no caller's
}

func newLoan(payload []byte) *loan { return &loan{size: uint64(len(payload)), bytes: payload} }

// reclaim ends the loan: what is not written is copied, and the caller's memory is not read any more.
func (l *loan) reclaim() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.own {
		l.bytes = bytes.Clone(l.bytes)
		l.own = true
	}
}

// cancel is for a loan that will not be written any more.
func (l *loan) cancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes = nil
}

// step is the most that is written while mu is held, in bytes, so that a caller who leaves waits no longer than for that.
const step = 1 << 20

// write has it written until try takes less than it is given, and tells whether nothing is left.
func (l *loan) write(try func([]byte) (int, error)) (done bool, err error) {
	for {
		n, left, err := l.writeStep(try)
		if err != nil || n < step || left == 0 {
			return left == 0, err
		}
	}
}

func (l *loan) writeStep(try func([]byte) (int, error)) (n, left int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err = try(l.bytes[:min(len(l.bytes), step)])
	l.bytes = l.bytes[n:]
	return n, len(l.bytes), err
}
