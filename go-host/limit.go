package rootbridge

import (
	"context"
	"fmt"
	"time"
)

// limit is the time that a call has. Where the context's deadline comes first the context keeps it; else the queue and the
// connection do, which costs far less than a context of its own.
type limit struct {
	timeout time.Duration // as configured; 0 when the context's deadline comes first, or without any bound
	own     time.Time     // the deadline that the timeout makes; zero with a timeout of 0
	first   time.Time     // the earlier of own and the context's; zero without any bound
	queue   time.Time     // until when the call may wait for a worker, however often it has to; moves while it has one
	now     time.Time     // when it was looked at the clock last

	queueTimeout time.Duration
}

// newLimit starts the clock. A timeout below zero means no bound but the context's. A debugger must not be hurried: with it
// only the context bounds a call.
func (h *Host) newLimit(ctx context.Context, timeout time.Duration) limit {
	queueTimeout := h.options.QueueTimeout
	if h.options.Inspect != "" {
		timeout, queueTimeout = -1, endless
	}
	now := time.Now()
	deadline, bounded := ctx.Deadline()
	own := now.Add(timeout)
	if timeout < 0 || bounded && deadline.Before(own) {
		return limit{first: deadline, queue: now.Add(queueTimeout), now: now, queueTimeout: queueTimeout}
	}
	return limit{timeout, own, own, now.Add(queueTimeout), now, queueTimeout}
}

// endless is a time that nobody waits for to pass.
const endless = 365 * 24 * time.Hour

// left returns the time left, at least a millisecond, or 0 without any bound; and false when none is.
func (l limit) left() (time.Duration, bool) {
	if l.first.IsZero() {
		return 0, true
	}
	left := l.first.Sub(l.now)
	return max(time.Millisecond, left), left > 0
}

// returned is for a call whose worker did not begin it: since it was looked at the clock last it has not waited for one.
func (l limit) returned() limit {
	now := time.Now()
	l.queue = l.queue.Add(now.Sub(l.now))
	l.now = now
	return l
}

// requeued gives a call that is to run again its whole time in the queue again.
func (l limit) requeued() limit {
	l.now = time.Now()
	l.queue = l.now.Add(l.queueTimeout)
	return l
}

// error says why a call's time is over, and what could be changed.
func (l limit) error(ctx context.Context, doing string) *Error {
	if ctx.Err() != nil || l.own.IsZero() {
		return contextError(ctx, doing)
	}
	return &Error{
		Code: CodeDeadlineExceeded,
		Message: fmt.Sprintf("no result within %v (Options.CallTimeout, or WithTimeout for one call) while %s",
			l.timeout, doing),
	}
}
