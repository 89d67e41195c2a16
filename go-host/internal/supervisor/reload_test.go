package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rootbridge/internal/supervisor"
)

func TestAReloadReplacesEveryWorkerNewBeforeOld(t *testing.T) {
	t.Parallel()
	w := &world{slow: true}
	play(t, supervisor.Options{Max: 3, Initial: 3, Draining: 3}, w, func(t *stage) {
		pass(bootTime)
		old := w.workers()
		fewest := watchFewest(t, w)
		if err := t.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.expectServing(t, 3, 2)
		if fewest() < 3 {
			t.Error("at some time fewer than three workers served")
		}
		w.heard(t, "reloaded 2: <nil>")
		w.heard(t, fmt.Sprintf("drain %d: reload", old[0].id))
		for _, f := range old {
			close(f.quiet)
		}
	})
}

// watchFewest looks at every millisecond how many workers serve.
func watchFewest(t testing.TB, w *world) func() int {
	t.Helper()
	fewest := len(w.workers())
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				fewest = min(fewest, len(w.workers()))
			}
		}
	})
	return func() int { close(done); watching.Wait(); return fewest }
}

func TestAReloadWhoseFirstWorkerDoesNotBootChangesNothing(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		before := w.workers()
		w.set(func() { w.boot = func(int) error { return errBoot } })
		if err := t.Reload(t.Context()); !errors.Is(err, errBoot) {
			t.Errorf("got %v", err)
		}
		pass(time.Minute)
		if after := w.workers(); len(after) != 2 || after[0] != before[0] || after[1] != before[1] {
			t.Error("workers were replaced")
		}
		w.heard(t, "reloaded 2: does not boot")
		if got := t.Snapshot(func() {}).Generation; got != 1 {
			t.Errorf("the generation is %d", got)
		}
		w.set(func() { w.boot = nil })
		if err := t.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		w.expectServing(t, 2, 2)
	})
}

func TestAllWhoAskDuringAReloadShareTheNext(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() {
				if err := t.Reload(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		w.expectServing(t, 2, 3)
		if n := w.startCount(); n != 2+2*2 {
			t.Errorf("%d starts", n)
		}
	})
}

func TestTheContextOfAReloadBoundsOnlyTheWait(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		ctx, cancel := context.WithTimeout(t.Context(), bootTime/2)
		defer cancel()
		if err := t.Reload(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		pass(time.Second)
		w.expectServing(t, 2, 2)
	})
}

func TestAReloadHealsAPoolWithoutWorkers(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		w.set(func() { w.boot = func(int) error { return errBoot } })
		for _, f := range w.workers() {
			f.crash()
		}
		pass(time.Minute) // pauses are long by now
		w.set(func() { w.boot = nil })
		began := time.Now()
		if err := t.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		pass(bootTime)
		w.expectServing(t, 2, 2)
		if took := time.Since(began); took > 3*bootTime {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAReloadThatGetsStuckHalfwaySaysSoAndIsFinishedLater(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		w.set(func() {
			w.boot = func(n int) error {
				if n > 3 {
					return errBoot
				}
				return nil
			}
		})
		if err := t.Reload(t.Context()); !errors.Is(err, errBoot) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if workers := w.workers(); len(workers) != 2 {
			t.Errorf("%d workers serve", len(workers))
		}
		w.set(func() { w.boot = nil })
		pass(time.Minute)
		w.expectServing(t, 2, 2)
	})
}

func TestAReloadOfAPoolThatNeedsNoWorkerStillTriesTheCode(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, supervisor.Options{Max: 2, Initial: 0, Draining: 2}, w, func(t *stage) {
		w.set(func() { w.boot = func(int) error { return errBoot } })
		if err := t.Reload(t.Context()); !errors.Is(err, errBoot) {
			t.Errorf("got %v", err)
		}
		w.set(func() { w.boot = nil })
		if err := t.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		pass(time.Second)
		w.expectServing(t, 0, 0)
		t.Scale(1)
		pass(bootTime)
		w.expectServing(t, 1, 2)
	})
}

func TestAReloadHasItsTurnHoweverOftenWorkersAreRecycled(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		done := make(chan error)
		go func() { done <- t.Reload(t.Context()) }()
		for range 200 { // each worker is due again as soon as it is there
			for _, f := range w.workers() {
				t.Replace(f, "calls")
			}
			pass(bootTime / 10)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the reload still waits")
			t.Close()
			t.Log(<-done)
		}
	})
}

// Each worker is to be recycled after less time than it takes to replace all of them.
func TestTheOldestCodeIsReplacedFirstHoweverSoonWorkersAreRecycled(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, supervisor.Options{Max: 4, Initial: 4, Draining: 4}, w, func(t *stage) {
		pass(bootTime)
		born := map[*fake]time.Time{}
		recycle := func() {
			for _, f := range w.workers() {
				if born[f].IsZero() {
					born[f] = time.Now()
				}
				if time.Since(born[f]) >= bootTime {
					t.Replace(f, "lifetime")
				}
			}
		}
		for range 40 {
			recycle()
			pass(bootTime / 4)
		}
		done := make(chan error, 1)
		go func() { done <- t.Reload(t.Context()) }()
		for range 40 { // ten starts: one for each slot, and the canary
			recycle()
			pass(bootTime / 4)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the reload still waits")
			t.Close()
			t.Log(<-done)
		}
		recycle()
		for _, f := range w.workers() {
			if age := time.Since(born[f]); age > 6*bootTime {
				t.Errorf("worker %d is %v old", f.id, age)
			}
		}
	})
}

func TestAReloadThatWaitsForRoomIsGivenUpByAClose(t *testing.T) {
	t.Parallel()
	w := &world{slow: true}
	play(t, supervisor.Options{Max: 1, Initial: 1, Draining: 1}, w, func(t *stage) {
		pass(bootTime)
		old := w.workers()[0]
		t.Replace(old, "calls")
		pass(2 * bootTime) // the old one lingers, so that nothing more may be replaced
		done := make(chan error)
		go func() { done <- t.Reload(t.Context()) }()
		synctest.Wait()
		t.Close()
		if err := <-done; !errors.Is(err, supervisor.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if n := t.Snapshot(func() {}).Booting; n != 0 {
			t.Errorf("%d workers are said to be starting", n)
		}
		close(old.quiet)
	})
}
