//go:build unix

package conn

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"
)

// NewSource returns what a Reader of a worker's answers reads from. Before it waits for the system to say that there is
// something, it asks for up to poll, where that is likely to be faster.
func NewSource(file *os.File, poll time.Duration) io.Reader {
	raw, err := file.SyscallConn()
	if err != nil || poll <= 0 {
		return file
	}
	s := &source{file: file, raw: raw, limit: poll, processors: processors()}
	s.once = s.readOnce
	return s
}

// source reads a pipe that is in non-blocking mode, as os.Pipe makes them. One goroutine at a time may use it.
type source struct {
	file       *os.File
	raw        syscall.RawConn
	once       func(fd uintptr) bool // readOnce, bound once so that a read allocates nothing
	limit      time.Duration         // of one poll
	processors int32
	habit      habit
	waited     time.Time // when it read without polling last

	p   []byte
	n   int
	err error
}

func (s *source) Read(p []byte) (int, error) {
	start := time.Now()
	if s.habit.polls && start.Sub(s.waited) < longestRun && mayPoll(s.processors) {
		n := s.poll(p, start)
		donePolling()
		s.habit.polled(n > 0)
		if n > 0 {
			return n, nil
		}
		start = time.Now()
	}
	n, err := s.file.Read(p)
	s.waited = time.Now()
	s.habit.waited(s.waited.Sub(start) <= wakeFactor*s.limit)
	return n, err
}

// poll returns 0 when nothing came in time, or when nothing will come: a Read says what it is then.
func (s *source) poll(p []byte, start time.Time) int {
	s.p = p
	defer func() { s.p = nil }() // the next may come much later
	for ; ; runtime.Gosched() {
		if err := s.raw.Read(s.once); err != nil {
			return 0
		}
		if !errors.Is(s.err, syscall.EAGAIN) || time.Since(start) > s.limit || isCrowded(s.processors) {
			return max(s.n, 0)
		}
	}
}

// readOnce always returns true: the runtime must not wait for the pipe here.
func (s *source) readOnce(fd uintptr) bool {
	s.n, s.err = syscall.Read(int(fd), s.p)
	return true
}
