package rootbridge

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// limit is the time that a call has. Where the context's deadline comes first the context keeps it; else a timer does,
// which costs far less than a context of its own.
type limit struct {
	timer    *time.Timer
	armed    bool
	timeout  time.Duration // as configured; 0 when the context's deadline comes first
	deadline time.Time     // zero without any bound
}

var limits = sync.Pool{New: func() any {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &limit{timer: timer}
}}

// newLimit starts the clock. A timeout below zero means no bound but the context's.
func newLimit(ctx context.Context, timeout time.Duration) *limit {
	l := limits.Get().(*limit) //nolint:errcheck // the pool holds nothing else
	now := time.Now()
	deadline, bounded := ctx.Deadline()
	if timeout < 0 || bounded && deadline.Before(now.Add(timeout)) {
		l.armed, l.timeout, l.deadline = false, 0, deadline
		return l
	}
	l.armed, l.timeout, l.deadline = true, timeout, now.Add(timeout)
	l.timer.Reset(timeout)
	return l
}

// stop gives the limit back.
func (l *limit) stop() {
	l.timer.Stop()
	limits.Put(l)
}

// expired delivers when the limit's own time is over; the context's is seen by who has the context.
func (l *limit) expired() <-chan time.Time {
	if !l.armed {
		return nil
	}
	return l.timer.C
}

// left returns the time left, at least a millisecond, or 0 without any bound.
func (l *limit) left() time.Duration {
	if l.deadline.IsZero() {
		return 0
	}
	return max(time.Millisecond, time.Until(l.deadline))
}

// error says why a call's time is over, and what could be changed.
func (l *limit) error(ctx context.Context, doing string) *Error {
	if ctx.Err() != nil {
		return contextError(ctx, doing)
	}
	return &Error{
		Code: CodeDeadlineExceeded,
		Message: fmt.Sprintf("no result within %v (Options.CallTimeout, or WithTimeout for one call) while %s",
			l.timeout, doing),
	}
}
