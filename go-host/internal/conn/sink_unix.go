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
	s.once, s.loanOnce, s.full = s.writeOnce, s.writeLoanOnce, s.writeFull
	return s
}

// pipeSink writes to a pipe that is in non-blocking mode, as os.Pipe makes them. One goroutine at a time may use it.
type pipeSink struct {
	io.WriteCloser
	raw syscall.RawConn
	// writeOnce, writeLoanOnce and writeFull, bound once so that a write allocates nothing
	once, loanOnce func(fd uintptr) bool
	full           func(p []byte) (int, error)

	p    []byte
	loan *loan
	fd   uintptr // valid while loanOnce runs
	n    int
	err  error
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
	s.loan, s.err = l, nil
	err := s.raw.Write(s.loanOnce)
	s.loan = nil // its caller may have gone
	return errors.Join(err, s.err)
}

// writeLoanOnce has the runtime wait for the pipe while something is left.
func (s *pipeSink) writeLoanOnce(fd uintptr) bool {
	var done bool
	s.fd = fd
	done, s.err = s.loan.write(s.full)
	return done || s.err != nil
}

func (s *pipeSink) writeFull(p []byte) (int, error) { return writeUntilFull(s.fd, p) }

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
