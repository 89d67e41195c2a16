// Package supervisor decides which workers run: how many, of which generation of the code, and when one is started,
// replaced or ended. It knows neither what a worker is nor what code is.
package supervisor

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Worker is what a Supervisor keeps running.
type Worker interface {
	comparable
	// Ended is closed when nothing of the worker is left.
	Ended() <-chan struct{}
	// LastWords says why a worker that leaves, or has ended, does so.
	LastWords() error
	// Served tells whether the worker has answered any call.
	Served() bool
}

// Generation is a state of the code, as it was when Next read it.
type Generation[G any] struct {
	Number int // ascending, from 1
	Code   G
}

// Driver does what a Supervisor decides. Next, Boot, Drain and those of Observer may take their time; Admit, Bar and Break
// are called under the supervisor's lock and must not block, nor call the supervisor.
type Driver[W Worker, G any] interface {
	// Next reads the code as it is now.
	Next() (G, error)
	// Boot starts a worker and returns when it is ready. It leaves nothing when it fails or its context ends: with ErrPinned
	// when an Optional start would load code that is no longer the generation's, with ErrSignaled when the worker died of a
	// signal that asks for a reload.
	Boot(ctx context.Context, generation Generation[G], why Why) (W, error)
	// Admit lets calls reach a worker.
	Admit(worker W)
	// Bar keeps new calls from a worker from now on. Drain follows.
	Bar(worker W)
	// Drain lets a worker finish the calls that it has, and ends it. It returns when Ended is closed.
	Drain(worker W, reason Reason)
	// Break fails calls that wait, and those that come until the next Admit, with a reason.
	Break(reason error)
	Observer[W]
}

// Observer is told what happens, in order, without the supervisor's lock.
type Observer[W Worker] interface {
	Ready(worker W, generation int)
	BootFailed(err error, failures int)
	// Pinned is told once of each time that an optional start has to wait for a reload.
	Pinned(generation int, err error)
	// Replaced is told of each worker that another one takes the place of, or has to.
	Replaced(worker W, reason Reason)
	// Shrunk is told of a worker that is no longer needed.
	Shrunk(worker W)
	Reloaded(generation int, err error)
}

// The errors that Boot may return for its supervisor.
var (
	ErrPinned   = errors.New("the code has changed since its generation was loaded")
	ErrSignaled = errors.New("died of a signal that asks for a reload")
)

// ErrClosed is returned by Reload when the supervisor is closed.
var ErrClosed = errors.New("supervisor is closed")

// Why says what a start is for.
type Why int

// The reasons for a start.
const (
	Needed   Why = iota // a worker is missing
	Optional            // what runs would do
	Canary              // a new generation has to prove itself
)

// Reason says why a worker is replaced.
type Reason string

// The reasons that the supervisor itself has.
const (
	ReasonCrashed  Reason = "crashed"  // it ended by itself or was killed
	ReasonReload   Reason = "reload"   // it is of an older generation
	ReasonUnneeded Reason = "unneeded" // fewer workers would do
)

// Options bound a Supervisor.
type Options struct {
	Max      int // workers that serve
	Initial  int // workers to start with
	Draining int // workers that may be finishing their calls at a time before further ones are replaced
}

// Supervisor keeps a number of slots filled with workers. Whatever happens, it compares what is with what should be, and
// does the next step.
//
// Law: mu guards all fields below it, those of slot, and notes; it is never held during anything that can wait.
type Supervisor[W Worker, G any] struct {
	options Options
	driver  Driver[W, G]
	life    context.Context // ends with Close
	endLife context.CancelFunc
	tasks   sync.WaitGroup
	first   chan error // cap 1; gets nil with the first worker, or an error when none of the first became ready

	mu         sync.Mutex
	changed    sync.Cond // whenever a step was done
	generation Generation[G]
	slots      []*slot[W]
	draining   map[W]Reason
	booting    int // processes that are starting, given up ones too
	wanted     int // slots that should be filled
	canary     bool
	running    *reload
	pending    *reload
	closed     bool
	wake       *time.Timer // does the next step when a backoff ends
	notes      []func()    // what the driver is to be told, in order
	telling    bool        // somebody is telling it
}

// New reads the code's first generation. Start begins.
func New[W Worker, G any](options Options, driver Driver[W, G]) (*Supervisor[W, G], error) {
	code, err := driver.Next()
	if err != nil {
		return nil, err
	}
	s := &Supervisor[W, G]{
		options: options, driver: driver, first: make(chan error, 1), draining: make(map[W]Reason),
		generation: Generation[G]{1, code}, wanted: options.Initial,
	}
	s.changed.L = &s.mu
	s.life, s.endLife = context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	for range options.Max {
		s.slots = append(s.slots, new(slot[W]))
	}
	return s, nil
}

// Start starts the first workers.
func (s *Supervisor[W, G]) Start() {
	s.mu.Lock()
	s.stepAndUnlock()
}

// First delivers once: nil when a worker is ready, or the first error when none of the first workers became ready.
func (s *Supervisor[W, G]) First() <-chan error { return s.first }

// Scale sets how many workers should serve, at most Options.Max.
func (s *Supervisor[W, G]) Scale(workers int) {
	s.mu.Lock()
	if workers = min(workers, s.options.Max); workers == s.wanted {
		s.mu.Unlock()
		return
	}
	s.wanted = workers
	s.stepAndUnlock()
}

// Replace asks for another worker in the place of one that goes on until the other is ready. Only the first reason counts.
func (s *Supervisor[W, G]) Replace(worker W, reason Reason) {
	s.mu.Lock()
	if slot := s.slotOfLocked(worker); slot != nil && slot.replace == "" {
		slot.replace = reason
	}
	s.stepAndUnlock()
}

// Leave says that a worker takes no further calls. It is drained, and another one started.
func (s *Supervisor[W, G]) Leave(worker W, reason Reason) {
	s.mu.Lock()
	if slot := s.slotOfLocked(worker); slot != nil {
		s.lostLocked(slot, reason)
	}
	s.stepAndUnlock()
}

// Close starts nothing any more and returns at once. The workers are the caller's business from then on.
func (s *Supervisor[W, G]) Close() {
	s.mu.Lock()
	s.closed = true
	if s.wake != nil {
		s.wake.Stop()
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.endLife()
}

// Wait returns when, after Close, every start has been given up and every worker has ended.
func (s *Supervisor[W, G]) Wait() { s.tasks.Wait() }

// stepAndUnlock does what is to be done next, and unlocks mu.
func (s *Supervisor[W, G]) stepAndUnlock() {
	s.stepLocked(time.Now())
	s.changed.Broadcast()
	s.mu.Unlock()
}

// noteLocked has the driver told of something, unless the supervisor is closed. Nobody waits for it.
func (s *Supervisor[W, G]) noteLocked(note func()) {
	if s.closed {
		return
	}
	s.notes = append(s.notes, note)
	if !s.telling {
		s.telling = true
		s.tasks.Go(s.tell)
	}
}

// tell calls what has gathered in notes, until nothing is left.
func (s *Supervisor[W, G]) tell() {
	for {
		s.mu.Lock()
		notes := s.notes
		s.notes = nil
		s.telling = len(notes) > 0
		s.mu.Unlock()
		if len(notes) == 0 {
			return
		}
		for _, note := range notes {
			note()
		}
	}
}

// stepLocked fills empty slots, replaces workers one by one, and ends those that are not needed.
func (s *Supervisor[W, G]) stepLocked(now time.Time) {
	if s.closed {
		return
	}
	var next time.Time
	for i, slot := range s.slots {
		if i >= s.wanted {
			s.emptyLocked(slot)
			continue
		}
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

// whyLocked tells a start that could as well wait from one that can't.
func (s *Supervisor[W, G]) whyLocked(slot *slot[W]) Why {
	if slot.member != nil && slot.member.generation == s.generation.Number {
		return Optional
	}
	if slot.member == nil && !slot.died && s.servingLocked() > 0 {
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
	s.noteLocked(func() { s.driver.Replaced(old.worker, reason) })
	s.drainLocked(old.worker, reason)
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
	s.noteLocked(func() { s.driver.Replaced(worker, reason) })
	s.drainLocked(worker, reason)
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

func (s *Supervisor[W, G]) drainLocked(worker W, reason Reason) {
	s.draining[worker] = reason
	s.driver.Bar(worker)
	s.tasks.Go(func() {
		s.driver.Drain(worker, reason)
		s.mu.Lock()
		delete(s.draining, worker)
		s.stepAndUnlock()
	})
}

func (s *Supervisor[W, G]) slotOfLocked(worker W) *slot[W] {
	for _, slot := range s.slots {
		if slot.member != nil && slot.member.worker == worker {
			return slot
		}
	}
	return nil
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
