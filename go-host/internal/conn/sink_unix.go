//go:build unix

package conn

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// newSink writes to a pipe without waiting. Other writers wait in a goroutine of their own.
func newSink(w io.WriteCloser) sink {
	file, ok := w.(*os.File)
	if !ok {
		return waitingSink{w}
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return waitingSink{w}
	}
	s := &pipeSink{WriteCloser: file, raw: raw}
	s.once = s.writeOnce
	return s
}

// pipeSink writes to a pipe that is in non-blocking mode, as os.Pipe makes them. One goroutine at a time may use it.
type pipeSink struct {
	io.WriteCloser
	raw  syscall.RawConn
	once func(fd uintptr) bool // writeOnce, bound once so that a write allocates nothing

	p   []byte
	n   int
	err error
}

func (s *pipeSink) tryWrite(p []byte) (int, error) {
	s.p, s.n, s.err = p, 0, nil
	err := s.raw.Write(s.once)
	s.p = nil // the next may come much later
	if err != nil {
		return 0, err
	}
	return s.n, s.err
}

func (s *pipeSink) writeLoan(l *loan) error {
	var failed error
	err := s.raw.Write(func(fd uintptr) bool {
		done, err := l.write(func(p []byte) (int, error) { return writeUntilFull(fd, p) })
		failed = err
		return done || err != nil
	})
	return errors.Join(err, failed)
}

// writeOnce always returns true: the runtime must not wait for the pipe here.
func (s *pipeSink) writeOnce(fd uintptr) bool {
	s.n, s.err = writeUntilFull(fd, s.p)
	return true
}

// writeUntilFull returns less than all without an error where the pipe takes no more.
func writeUntilFull(fd uintptr, p []byte) (written int, err error) {
	for written < len(p) {
		n, err := syscall.Write(int(fd), p[written:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return written, nil
		case err != nil:
			return written, err
		}
		written += n
	}
	return written, nil
}
