package conn

import "io"

// waitingSink is for writers that can only wait: it takes nothing at once and leaves all to the outbox's goroutine.
type waitingSink struct{ io.WriteCloser }

func (waitingSink) tryWrite([]byte) (int, error) { return 0, nil }

// writeLoan copies it, as nobody can take memory back from a writer that waits.
func (s waitingSink) writeLoan(l *loan) error {
	l.reclaim()
	_, err := s.Write(l.bytes)
	return err
}
