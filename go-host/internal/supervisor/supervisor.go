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
	refused    bool // the last reload has failed: what it would have loaded is not to be loaded unasked
	running    *reload
	pending    *reload
	closed     bool
	totals     Totals
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
		generation: Generation[G]{1, code}, wanted: options.Initial, totals: Totals{Restarts: make(map[Reason]uint64)},
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
	if slot := s.slotOfLocked(worker); slot != nil && slot.replace == "" && !s.closed {
		slot.replace = reason
	}
	s.stepAndUnlock()
}

// Leave says that a worker takes no further calls. It is drained, and another one started.
func (s *Supervisor[W, G]) Leave(worker W, reason Reason) {
	s.mu.Lock()
	if slot := s.slotOfLocked(worker); slot != nil && !s.closed {
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

// noteLocked has the driver told of something that was counted, unless the supervisor is closed. Nobody waits for it.
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
