package supervisor

import (
	"context"
	"errors"
	"time"
)

// bootLocked starts a worker for a slot.
func (s *Supervisor[W, G]) bootLocked(slot *slot[W]) {
	ctx, cancel := context.WithCancel(s.life)
	generation, why := s.generation, s.whyLocked(slot)
	boot := &boot{cancel}
	slot.boot = boot
	s.booting++
	s.tasks.Go(func() {
		worker, err := s.start(ctx, generation, why)
		cancel()
		s.mu.Lock()
		s.booting--
		s.bootedLocked(slot, boot, worker, generation.Number, err)
		s.stepAndUnlock()
	})
}

// whyLocked tells a start that could as well wait from one that can't: while others serve, even that of one that has died
// does rather than load what a reload has refused.
func (s *Supervisor[W, G]) whyLocked(slot *slot[W]) Why {
	if slot.member != nil && slot.member.generation == s.generation.Number {
		return Optional
	}
	if slot.member == nil && (!slot.died || s.refused) && s.servingLocked() > 0 {
		return Optional
	}
	return Needed
}

func (s *Supervisor[W, G]) servingLocked() int {
	serving := 0
	for _, slot := range s.slots {
		if slot.member != nil {
			serving++
		}
	}
	return serving
}

// start boots a worker, and another one at once when that dies of a signal that came before it could handle it.
func (s *Supervisor[W, G]) start(ctx context.Context, generation Generation[G], why Why) (W, error) {
	for deaths := 1; ; deaths++ {
		worker, err := s.driver.Boot(ctx, generation, why)
		if !errors.Is(err, ErrSignaled) || ctx.Err() != nil {
			return worker, err
		}
		if deaths > freeDeaths { // code that kills itself so must not make a hot loop
			sleep(ctx, firstBackoff)
		}
	}
}

// bootedLocked takes the outcome of a start.
func (s *Supervisor[W, G]) bootedLocked(slot *slot[W], boot *boot, worker W, generation int, err error) {
	isCurrent := slot.boot == boot // else it was given up
	if isCurrent {
		slot.boot = nil
	}
	switch {
	case err == nil && isCurrent && !s.closed:
		s.placeLocked(slot, worker, generation)
	case err == nil:
		s.drainLocked(worker, ReasonUnneeded)
	case isCurrent && !s.closed:
		s.failedLocked(slot, err)
	}
}

// placeLocked puts a worker that is ready into a slot; the one that was there is drained.
func (s *Supervisor[W, G]) placeLocked(slot *slot[W], worker W, generation int) {
	old, reason := slot.member, slot.replace
	m := &member[W]{worker, generation, time.Now()}
	slot.fill(m)
	s.driver.Admit(worker)
	s.totals.Boots++
	s.noteLocked(func() { s.driver.Ready(worker, generation) })
	s.tasks.Go(func() { s.watch(slot, m) })
	s.tellFirst(nil)
	if old == nil {
		return
	}
	slot.failures, slot.useless = 0, 0
	if reason == "" {
		reason = ReasonReload
	}
	s.replacedLocked(old.worker, reason)
}

func (s *Supervisor[W, G]) replacedLocked(worker W, reason Reason) {
	s.totals.Restarts[reason]++
	s.noteLocked(func() { s.driver.Replaced(worker, reason) })
	s.drainLocked(worker, reason)
}

// watch waits for the end of a worker. One that is no longer in its slot is drained elsewhere.
func (s *Supervisor[W, G]) watch(slot *slot[W], m *member[W]) {
	<-m.worker.Ended()
	s.mu.Lock()
	if slot.member == m && !s.closed {
		s.lostLocked(slot, ReasonCrashed)
	}
	s.stepAndUnlock()
}

// lostLocked takes a worker that ended, or that takes no calls any more, out of its slot.
func (s *Supervisor[W, G]) lostLocked(slot *slot[W], reason Reason) {
	worker := slot.member.worker
	if time.Since(slot.member.since) >= steadyTime {
		slot.failures, slot.useless = 0, 0
	}
	slot.member, slot.replace, slot.died = nil, "", true
	slot.fail()
	if worker.Served() { // then it is a call that ended it, and others need not fail
		slot.useless = 0
	}
	s.replacedLocked(worker, reason)
	s.breakLocked(slot, worker.LastWords())
}

// failedLocked takes a start that failed.
func (s *Supervisor[W, G]) failedLocked(slot *slot[W], err error) {
	if errors.Is(err, ErrPinned) {
		if slot.pin() {
			generation := s.generation.Number
			s.noteLocked(func() { s.driver.Pinned(generation, err) })
		}
		return
	}
	slot.lastError = err
	slot.fail()
	failures := slot.failures
	s.totals.BootFailures++
	s.noteLocked(func() { s.driver.BootFailed(err, failures) })
	s.breakLocked(slot, err)
	if s.haveAllFailedLocked() {
		s.tellFirst(err)
	}
}

// breakLocked lets calls fail at once when no worker is there and those that a slot had last were of no use.
func (s *Supervisor[W, G]) breakLocked(slot *slot[W], reason error) {
	if slot.useless >= patience && s.servingLocked() == 0 {
		s.driver.Break(reason)
	}
}

func (s *Supervisor[W, G]) haveAllFailedLocked() bool {
	for _, slot := range s.slots[:s.wanted] {
		if slot.failures == 0 {
			return false
		}
	}
	return true
}

func (s *Supervisor[W, G]) tellFirst(err error) {
	select {
	case s.first <- err:
	default: // it was told before
	}
}
