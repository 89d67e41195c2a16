package supervisor

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// steadyTime is how long a worker must have lived for its end not to count as one of a row.
	steadyTime = 10 * time.Second
	// pinnedTime is how long an optional start waits before it looks again whether it may be done.
	pinnedTime = 5 * time.Second
	// freeDeaths is how many workers in a row may die of a signal before a pause is made.
	freeDeaths = 5
	// patience is how many starts in a row may be of no use before calls stop waiting for the next.
	patience = 3
)

// slot is a place for one worker, which outlives the workers in it.
//
// Law: Supervisor.mu guards all fields.
type slot[W Worker] struct {
	member    *member[W] // the worker that serves, or nil
	boot      *boot      // the start of one, or of its replacement, or nil
	replace   Reason     // why the member should be replaced, or ""
	failures  int        // starts that failed, and workers that ended soon, in a row
	useless   int        // of those, the last ones that have not answered any call
	lastError error      // of the last start, or nil if it succeeded
	retryAt   time.Time  // no start before it
	died      bool       // the last worker ended by itself
	pinned    bool       // an optional start waits for a reload
}

// member is a worker in its slot.
type member[W Worker] struct {
	worker     W
	generation int
	since      time.Time
}

// generation is the member's, or 0 without one.
func (s *slot[W]) generation() int {
	if s.member == nil {
		return 0
	}
	return s.member.generation
}

// since is when the member was put here, or the zero time without one.
func (s *slot[W]) since() time.Time {
	if s.member == nil {
		return time.Time{}
	}
	return s.member.since
}

// boot is a start under way.
type boot struct{ cancel context.CancelFunc }

// fill puts a worker into the slot. Only its age will show whether earlier failures are over.
func (s *slot[W]) fill(m *member[W]) {
	*s = slot[W]{member: m, boot: s.boot, failures: s.failures, useless: s.useless}
}

// clear forgets everything but a start under way.
func (s *slot[W]) clear() { *s = slot[W]{boot: s.boot} }

// giveUp forgets a start; its outcome is then nobody's.
func (s *slot[W]) giveUp() {
	if s.boot != nil {
		s.boot.cancel()
		s.boot = nil
	}
}

// fail counts a failure and puts off the next start: not after the first, then twice as long after each, with jitter so
// that workers that died together do not start together.
func (s *slot[W]) fail() {
	s.failures++
	s.useless++
	s.retryAt = time.Time{}
	if s.failures < 2 {
		return
	}
	wait := min(lastBackoff, firstBackoff<<min(s.failures-2, 16))
	s.retryAt = time.Now().Add(wait/2 + rand.N(wait/2)) //nolint:gosec // jitter need not be secret
}

// pin puts off an optional start. It tells whether this is the first time.
func (s *slot[W]) pin() bool {
	isNew := !s.pinned
	s.pinned = true
	s.retryAt = time.Now().Add(pinnedTime)
	return isNew
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
