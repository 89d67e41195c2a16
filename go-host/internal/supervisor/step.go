package supervisor

import (
	"cmp"
	"slices"
	"time"
)

// stepLocked fills empty slots, replaces workers one by one, and ends those that are not needed.
func (s *Supervisor[W, G]) stepLocked(now time.Time) {
	if s.closed {
		return
	}
	for _, slot := range s.slots[s.wanted:] {
		s.emptyLocked(slot)
	}
	var next time.Time
	for _, slot := range s.eldestLocked() {
		if slot.boot != nil || !s.isDueLocked(slot) {
			continue
		}
		if wait := slot.retryAt.Sub(now); wait > 0 {
			next = earlier(next, slot.retryAt)
			continue
		}
		s.bootLocked(slot)
	}
	s.wakeLocked(now, next)
}

// eldestLocked returns the slots that should be filled: empty ones first, then by the age of the code and of the worker, so that
// none waits for ever while younger ones are replaced again and again.
func (s *Supervisor[W, G]) eldestLocked() []*slot[W] {
	return slices.SortedStableFunc(slices.Values(s.slots[:s.wanted]), func(a, b *slot[W]) int {
		return cmp.Or(cmp.Compare(a.generation(), b.generation()), a.since().Compare(b.since()))
	})
}

// emptyLocked ends what is in a slot that is not needed.
func (s *Supervisor[W, G]) emptyLocked(slot *slot[W]) {
	slot.giveUp()
	if slot.member == nil || !s.mayDrainLocked() {
		return
	}
	worker := slot.member.worker
	slot.clear()
	s.noteLocked(func() { s.driver.Shrunk(worker) })
	s.drainLocked(worker, ReasonUnneeded)
}

// isDueLocked tells whether a slot needs a start that is allowed now. Missing workers are started together, and others
// replaced one by one.
func (s *Supervisor[W, G]) isDueLocked(slot *slot[W]) bool {
	if s.isFullLocked() {
		return false
	}
	if slot.member == nil {
		return true
	}
	outdated := slot.replace != "" || slot.member.generation != s.generation.Number
	return outdated && !s.canary && !s.isReplacingLocked() && s.mayDrainLocked()
}

func (s *Supervisor[W, G]) isReplacingLocked() bool {
	for _, slot := range s.slots {
		if slot.boot != nil && slot.member != nil {
			return true
		}
	}
	return false
}

func (s *Supervisor[W, G]) mayDrainLocked() bool { return len(s.draining) < s.options.Draining }

// isFullLocked tells whether there are as many workers, whatever their state, as there may ever be.
func (s *Supervisor[W, G]) isFullLocked() bool {
	return s.booting+len(s.draining)+s.servingLocked() >= s.options.Max+1+s.options.Draining
}

// wakeLocked sees to it that the next step is done at a time; not if it is zero.
func (s *Supervisor[W, G]) wakeLocked(now, at time.Time) {
	if s.wake != nil {
		s.wake.Stop()
		s.wake = nil
	}
	if at.IsZero() {
		return
	}
	s.wake = time.AfterFunc(at.Sub(now), func() {
		s.mu.Lock()
		s.stepAndUnlock()
	})
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
