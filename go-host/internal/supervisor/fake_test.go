package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rootbridge/internal/supervisor"
)

const bootTime = 100 * time.Millisecond

var errBoot = errors.New("does not boot")

// fake is a worker that does what a test says.
type fake struct {
	id         int
	generation int
	served     bool
	ended      chan struct{}
	end        sync.Once
	quiet      chan struct{} // closed when it has finished its calls
}

func (f *fake) Ended() <-chan struct{} { return f.ended }
func (f *fake) LastWords() error       { return fmt.Errorf("worker %d died", f.id) }
func (f *fake) Served() bool           { return f.served }
func (f *fake) crash()                 { f.end.Do(func() { close(f.ended) }) }

// world is a driver whose workers are fakes, and what it was told.
//
// Law: mu guards all fields.
type world struct {
	mu       sync.Mutex
	version  int               // what Next reads
	boot     func(n int) error // the outcome of the n-th start, from 1; nil means that it is good
	starts   int
	starting int
	serving  []*fake
	draining []*fake
	most     int // workers there were at a time
	broken   error
	told     []string
	slow     bool // workers that are drained take until they are quiet
}

func (w *world) Next() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version++
	return w.version, nil
}

func (w *world) Boot(ctx context.Context, g supervisor.Generation[int], why supervisor.Why) (*fake, error) {
	w.mu.Lock()
	w.starts++
	n, boot := w.starts, w.boot
	w.starting++
	w.countLocked()
	w.mu.Unlock()
	timer := time.NewTimer(bootTime)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starting--
	if err == nil && boot != nil {
		err = boot(n)
	}
	if errors.Is(err, supervisor.ErrPinned) && why != supervisor.Optional {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return &fake{id: n, generation: g.Number, ended: make(chan struct{}), quiet: make(chan struct{})}, nil
}

func (w *world) Admit(f *fake) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = nil
	w.serving = append(w.serving, f)
	w.countLocked()
}

func (w *world) Bar(f *fake) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serving = slices.DeleteFunc(w.serving, func(other *fake) bool { return other == f })
	w.draining = append(w.draining, f)
	w.countLocked()
}

func (w *world) Drain(f *fake, reason supervisor.Reason) {
	w.mu.Lock()
	w.told = append(w.told, fmt.Sprintf("drain %d: %s", f.id, reason))
	slow := w.slow
	w.mu.Unlock()
	if slow {
		select {
		case <-f.quiet:
		case <-f.ended:
		}
	}
	f.crash()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = slices.DeleteFunc(w.draining, func(other *fake) bool { return other == f })
}

func (w *world) countLocked() { w.most = max(w.most, w.starting+len(w.serving)+len(w.draining)) }

func (w *world) Break(reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = reason
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

func (w *world) Ready(f *fake, generation int) { w.note("ready %d of %d", f.id, generation) }

func (w *world) BootFailed(err error, failures int) { w.note("failed %d: %v", failures, err) }

func (w *world) Pinned(generation int, _ error) { w.note("pinned to %d", generation) }

func (w *world) Replaced(f *fake, reason supervisor.Reason) {
	w.note("replaced %d: %s", f.id, reason)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serving = slices.DeleteFunc(w.serving, func(other *fake) bool { return other == f })
}

func (w *world) Shrunk(f *fake) { w.note("shrunk %d", f.id) }

func (w *world) Reloaded(generation int, err error) { w.note("reloaded %d: %v", generation, err) }

// workers returns those that serve.
func (w *world) workers() []*fake {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.serving)
}

func (w *world) startCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.starts
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) heard(t testing.TB, what string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.told, what) {
		t.Errorf("not told of %q, only of %q", what, w.told)
	}
}

type fakes = supervisor.Supervisor[*fake, int]

// stage is a test with its supervisor.
type stage struct {
	*testing.T
	*fakes
}

// play runs a test on a fake clock with a supervisor that has started and is closed afterwards.
func play(t *testing.T, options supervisor.Options, w *world, test func(t *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := supervisor.New(options, w)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		test(&stage{t, s})
		s.Close()
		for _, f := range w.workers() {
			f.crash()
		}
		s.Wait()
	})
}

// pass lets time pass, and everything happen that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// expectServing checks who serves once everything has happened that is due.
func (w *world) expectServing(t testing.TB, count, generation int) {
	t.Helper()
	synctest.Wait()
	workers := w.workers()
	if len(workers) != count {
		t.Errorf("%d workers serve, expected %d; told of %q", len(workers), count, w.told)
	}
	for _, f := range workers {
		if f.generation != generation {
			t.Errorf("worker %d is of generation %d, expected %d", f.id, f.generation, generation)
		}
	}
}
