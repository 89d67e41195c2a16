package supervisor

import (
	"context"
	"fmt"
	"time"
)

// reload is one reload, and everyone who waits for it.
type reload struct {
	done chan struct{}
	err  error // set before done is closed
}

// HalfwayError is the error of a reload whose generation has taken over, while a worker of it does not become ready, which
// goes on being tried.
type HalfwayError struct {
	Generation int
	Err        error // of the last attempt
}

func (e *HalfwayError) Error() string {
	return fmt.Sprintf("generation %d has taken over, but not in all workers: one does not start, and goes on being tried: %v", e.Generation, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *HalfwayError) Unwrap() error { return e.Err }

// Reload replaces every worker by one of a new generation, new before old. It returns when the last one has taken over; or
// with the error for which the new generation's first worker did not become ready: then nothing has changed; or with a
// HalfwayError. While one
// reload runs, all who ask for another share the next. The context bounds only the wait: a reload that has begun goes on.
func (s *Supervisor[W, G]) Reload(ctx context.Context) error {
	r, err := s.join()
	if err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns a reload that has not begun yet, or begins it.
func (s *Supervisor[W, G]) join() (*reload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.running == nil {
		s.running = &reload{done: make(chan struct{})}
		s.tasks.Go(s.runReloads)
		return s.running, nil
	}
	if s.pending == nil {
		s.pending = &reload{done: make(chan struct{})}
	}
	return s.pending, nil
}

// runReloads runs reloads until nobody asks for another.
func (s *Supervisor[W, G]) runReloads() {
	for {
		s.mu.Lock()
		r := s.running
		s.mu.Unlock()
		r.err = s.reload()
		close(r.done)
		s.mu.Lock()
		s.running, s.pending = s.pending, nil
		isLast := s.running == nil
		s.mu.Unlock()
		if isLast {
			return
		}
	}
}

func (s *Supervisor[W, G]) reload() error {
	number, err := s.proveNext()
	if err == nil {
		err = s.awaitGeneration(number)
	}
	if err != nil && number == s.number() {
		err = &HalfwayError{number, err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err == nil {
		s.totals.Reloads++
	} else {
		s.totals.FailedReloads++
	}
	s.noteLocked(func() { s.driver.Reloaded(number, err) })
	return err
}

// proveNext boots a worker of the next generation and makes it the current one. It returns the generation's number.
func (s *Supervisor[W, G]) proveNext() (int, error) {
	number := s.number() + 1
	code, err := s.driver.Next()
	if err != nil {
		s.mu.Lock()
		s.refused = true
		s.mu.Unlock()
		return number, err
	}
	if !s.takeCanary() {
		return number, ErrClosed
	}
	next := Generation[G]{number, code}
	worker, err := s.start(s.life, next, Canary)
	s.mu.Lock()
	s.booting--
	s.canary = false
	switch {
	case err == nil && s.closed:
		s.drainLocked(worker, ReasonUnneeded)
	case err == nil:
		s.adoptLocked(next, worker)
	}
	s.refused = err != nil
	s.stepAndUnlock()
	return number, err
}

func (s *Supervisor[W, G]) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation.Number
}

// takeCanary waits until one more worker may be started, and books it. Meanwhile no other replacement begins, or it might
// never have its turn. It returns false when the supervisor is closed.
func (s *Supervisor[W, G]) takeCanary() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canary = true
	for !s.closed && (s.isReplacingLocked() || !s.mayDrainLocked() || s.isFullLocked()) {
		s.changed.Wait()
	}
	if s.closed {
		return false
	}
	s.booting++
	return true
}

// adoptLocked makes a generation the current one and gives its first worker a slot. Starts of older code are given up.
func (s *Supervisor[W, G]) adoptLocked(next Generation[G], worker W) {
	s.generation = next
	for _, slot := range s.slots {
		slot.giveUp()
		slot.retryAt, slot.failures, slot.useless, slot.lastError, slot.pinned = time.Time{}, 0, 0, nil, false
	}
	s.placeLocked(s.slotForLocked(), worker, next.Number)
}

// slotForLocked returns an empty slot, or the first one.
func (s *Supervisor[W, G]) slotForLocked() *slot[W] {
	for _, slot := range s.slots[:s.wanted] {
		if slot.member == nil {
			return slot
		}
	}
	return s.slots[0]
}

// awaitGeneration returns when no older worker takes calls, or with an error when a slot keeps failing.
func (s *Supervisor[W, G]) awaitGeneration(number int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && s.hasOlderLocked(number) {
		if err := s.stuckLocked(); err != nil {
			return err
		}
		s.changed.Wait()
	}
	return nil
}

func (s *Supervisor[W, G]) hasOlderLocked(number int) bool {
	for _, slot := range s.slots {
		if slot.member != nil && slot.member.generation < number {
			return true
		}
	}
	return false
}

// stuckLocked returns the last error of a slot that has lost patience with the new generation.
func (s *Supervisor[W, G]) stuckLocked() error {
	for _, slot := range s.slots {
		if slot.lastError != nil && slot.useless >= patience {
			return slot.lastError
		}
	}
	return nil
}
