//go:build unix

package conn

import (
	"runtime"
	"sync/atomic"
	"time"
)

// wakeFactor is how much longer than a poll a wait may be that counts as short: to put a thread to sleep and to wake it takes that
// long again, on both sides of the pipe.
const wakeFactor = 4

// longestRun is for how long a source polls without ever waiting. Where all processors are busy, what other goroutines wait
// for from the network is not looked for meanwhile: Go's own bound for that is 10 ms. From 5 ms on it costs no speed.
const longestRun = 5 * time.Millisecond

const (
	// minSoon is how many short waits in a row make a source poll, at first.
	minSoon = 3
	// maxSoon is how many it takes at most, where polls found nothing again and again.
	maxSoon = 64
	// worthwhile is how many polls in a row must have found something for one in vain to be forgiven.
	worthwhile = 8
)

// habit tells whether to poll: while answers follow each other so fast that a poll is likely to find the next. It is how
// KVM polls before it halts a processor. Where they don't, a poll in vain costs its time once, and the next comes later.
type habit struct {
	polls  bool
	soon   int // short waits in a row, while it does not poll
	needed int // as many of them make it poll; 0 for minSoon
	found  int // polls in a row that found something
}

// waited takes note of a wait that was no poll.
func (h *habit) waited(wasShort bool) {
	switch {
	case h.polls: // it was others' turn
	case wasShort:
		h.soon++
		h.polls, h.found = h.soon >= max(h.needed, minSoon), 0
	default:
		h.soon = 0
	}
}

// polled takes note of a poll. After many that found something one in vain is no reason to stop.
func (h *habit) polled(hasFound bool) {
	switch {
	case hasFound:
		h.found++
	case h.found >= worthwhile:
		h.found, h.needed = 0, minSoon
	default:
		h.polls, h.soon, h.needed = false, 0, min(2*max(h.needed, minSoon), maxSoon)
	}
}

// polling counts the sources of this process that poll right now.
var polling atomic.Int32

// mayPoll tells whether there is a processor for a source to poll on, beside those for the workers: each poll is for one, and
// others may be working. If so it must call donePolling.
func mayPoll(processors int32) bool {
	polling.Add(1)
	if !isCrowded(processors) {
		return true
	}
	donePolling()
	return false
}

// isCrowded tells whether there are fewer processors than what polls and what works.
func isCrowded(processors int32) bool {
	polls := polling.Load()
	return polls+max(polls, working.Load()) > processors
}

func donePolling() { polling.Add(-1) }

// processors is how many there are to run on. It asks the scheduler, which takes a lock.
func processors() int32 { return int32(runtime.GOMAXPROCS(0)) } //nolint:gosec // a number of processors
