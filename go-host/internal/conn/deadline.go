package conn

import (
	"time"

	"rootbridge/internal/frame"
)

// deadlines ends calls whose time is over. One timer serves all calls of a connection: it is set for the earliest deadline
// seen, so that most calls, whose deadlines come later than those before them, never touch it.
//
// Law: Conn.mu guards all fields.
type deadlines struct {
	timer *time.Timer
	next  time.Time // when the timer fires; zero while it is not set
}

// watchLocked makes sure that the timer fires no later than the call's deadline.
func (c *Conn) watchLocked(call *Call) {
	if call.Deadline.IsZero() || !c.deadlines.next.IsZero() && !call.Deadline.Before(c.deadlines.next) {
		return
	}
	c.setTimerLocked(call.Deadline)
}

func (c *Conn) setTimerLocked(at time.Time) {
	c.deadlines.next = at
	if c.deadlines.timer == nil {
		c.deadlines.timer = time.AfterFunc(time.Until(at), c.expire)
		return
	}
	c.deadlines.timer.Reset(time.Until(at))
}

// expire abandons every call whose deadline has passed, and sets the timer for the others.
func (c *Conn) expire() {
	var expired []uint32
	now := time.Now()
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.deadlines.next = time.Time{}
	var earliest time.Time
	for call := range c.calls.all() {
		switch {
		case call.abandoned || call.Deadline.IsZero():
		case !call.Deadline.After(now):
			expired = append(expired, call.id)
			c.abandonLocked(call)
			call.Done <- Expired // has room: a call gets one signal
		case earliest.IsZero() || call.Deadline.Before(earliest):
			earliest = call.Deadline
		}
	}
	if !earliest.IsZero() {
		c.setTimerLocked(earliest)
	}
	c.mu.Unlock()
	for _, id := range expired {
		c.write(frame.Cancel, id, frame.AppendCancelMeta(nil, reasonDeadline))
	}
}

// reasonDeadline is the protocol's word for it.
const reasonDeadline = "deadline_exceeded"
