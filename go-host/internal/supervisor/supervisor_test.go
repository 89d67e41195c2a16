package supervisor_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"rootbridge/internal/supervisor"
)

var two = supervisor.Options{Max: 2, Initial: 2, Draining: 2}

func TestTheFirstWorkersStartTogether(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		w.expectServing(t, 2, 1)
		if err := <-t.First(); err != nil {
			t.Error(err)
		}
	})
}

func TestTheFirstErrorIsToldWhenNoneOfTheFirstBecomesReady(t *testing.T) {
	t.Parallel()
	w := &world{boot: func(int) error { return errBoot }}
	play(t, two, w, func(t *stage) {
		if err := <-t.First(); !errors.Is(err, errBoot) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOneCrashIsMadeGoodAtOnceAndARowOfThemWithGrowingPauses(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, supervisor.Options{Max: 1, Initial: 1, Draining: 1}, w, func(t *stage) {
		pass(bootTime)
		var pauses []time.Duration
		for range 9 {
			died := time.Now()
			w.workers()[0].crash()
			for pass(0); len(w.workers()) == 0; {
				pass(time.Millisecond)
			}
			pauses = append(pauses, time.Since(died)-bootTime)
		}
		if pauses[0] > 5*time.Millisecond {
			t.Errorf("after the first crash it took %v", pauses[0])
		}
		for i, milliseconds := range []int{0, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			want := time.Duration(milliseconds) * time.Millisecond
			if i > 0 && (pauses[i] < want/2 || pauses[i] > want+5*time.Millisecond) {
				t.Errorf("pause %d is %v, expected %v to %v", i, pauses[i], want/2, want)
			}
		}
		pass(time.Minute)
		died := time.Now()
		w.workers()[0].crash()
		pass(bootTime)
		w.expectServing(t, 1, 1)
		if took := time.Since(died); took > bootTime {
			t.Errorf("after a steady life it took %v", took)
		}
	})
}

func TestACrashOfOneWorkerDoesNotDelayTheReplacementOfAnother(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		for range 5 { // always the same slot
			w.workers()[1].crash()
			pass(5 * time.Second)
		}
		w.workers()[0].crash()
		pass(bootTime)
		w.expectServing(t, 2, 1)
	})
}

func TestWhenEveryStartFailsCallsFailFastUntilOneSucceedsByItself(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		w.set(func() { w.boot = func(int) error { return errBoot } })
		for _, f := range w.workers() {
			f.crash()
		}
		pass(2 * time.Second)
		w.set(func() {
			if !errors.Is(w.broken, errBoot) {
				t.Errorf("calls fail with %v", w.broken)
			}
		})
		pass(time.Hour)
		w.set(func() {
			if w.starts > 2*3600 || w.starts < 2*700 {
				t.Errorf("%d starts in an hour of failures", w.starts)
			}
			w.boot = nil
		})
		pass(5*time.Second + bootTime)
		w.expectServing(t, 2, 1)
		w.set(func() {
			if w.broken != nil {
				t.Errorf("calls still fail with %v", w.broken)
			}
		})
	})
}

func TestWhileOneWorkerServesNoCallFails(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		w.set(func() { w.boot = func(int) error { return errBoot } })
		w.workers()[0].crash()
		pass(time.Minute)
		w.set(func() {
			if w.broken != nil {
				t.Errorf("calls fail with %v", w.broken)
			}
		})
	})
}

func TestAWorkerThatDiesOfTheSignalBeforeItIsReadyIsStartedAgainAtOnceAndNotCounted(t *testing.T) {
	t.Parallel()
	w := &world{boot: func(n int) error {
		if n <= 5 {
			return supervisor.ErrSignaled
		}
		return nil
	}}
	play(t, supervisor.Options{Max: 1, Initial: 1, Draining: 1}, w, func(t *stage) {
		pass(6 * bootTime)
		w.expectServing(t, 1, 1)
		if err := <-t.First(); err != nil {
			t.Error(err)
		}
		if len(w.told) != 1 {
			t.Errorf("told of %q", w.told)
		}
	})
}

func TestCodeThatKillsItselfByTheSignalIsNotStartedInAHotLoop(t *testing.T) {
	t.Parallel()
	w := &world{boot: func(int) error { return supervisor.ErrSignaled }}
	play(t, supervisor.Options{Max: 1, Initial: 1, Draining: 1}, w, func(t *stage) {
		pass(time.Minute)
		w.set(func() {
			if w.starts > 310 {
				t.Errorf("%d starts in a minute", w.starts)
			}
		})
	})
}

func TestAReplacementTakesOverBeforeTheOldWorkerIsDrainedAndOneAtATime(t *testing.T) {
	t.Parallel()
	w := &world{slow: true}
	play(t, supervisor.Options{Max: 3, Initial: 3, Draining: 3}, w, func(t *stage) {
		pass(bootTime)
		old := w.workers()
		for _, f := range old {
			t.Replace(f, "calls")
		}
		for range 3 {
			pass(bootTime / 2)
			if n := len(w.workers()); n != 3 {
				t.Errorf("%d workers served during a replacement", n)
			}
			pass(bootTime / 2)
		}
		w.expectServing(t, 3, 1)
		w.heard(t, fmt.Sprintf("drain %d: calls", old[0].id))
		if w.most != 3+3 {
			t.Errorf("there were %d workers, expected each start to follow the one before", w.most)
		}
		for _, f := range old {
			close(f.quiet)
		}
	})
}

func TestWhenTooManyOldWorkersLingerTheNextReplacementWaits(t *testing.T) {
	t.Parallel()
	w := &world{slow: true}
	play(t, supervisor.Options{Max: 3, Initial: 3, Draining: 1}, w, func(t *stage) {
		pass(bootTime)
		old := w.workers()
		for _, f := range old {
			t.Replace(f, "lifetime")
		}
		pass(time.Hour)
		if n := w.startCount(); n != 4 {
			t.Errorf("%d starts while one worker lingers", n)
		}
		close(old[0].quiet)
		pass(bootTime)
		if n := w.startCount(); n != 5 {
			t.Errorf("%d starts after one has gone", n)
		}
		close(old[1].quiet)
		close(old[2].quiet)
		pass(time.Second)
		if n := w.startCount(); n != 6 || w.most > 3+1+1 {
			t.Errorf("%d starts, at most %d workers", n, w.most)
		}
	})
}

func TestAWorkerThatLeavesIsReplacedAtOnceAndItsEndAwaited(t *testing.T) {
	t.Parallel()
	w := &world{slow: true}
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		leaving := w.workers()[0]
		t.Leave(leaving, "goaway")
		t.Leave(leaving, "goaway")
		pass(bootTime)
		w.expectServing(t, 2, 1)
		w.heard(t, fmt.Sprintf("drain %d: goaway", leaving.id))
		if len(w.draining) != 1 {
			t.Errorf("%d workers are drained", len(w.draining))
		}
		close(leaving.quiet)
	})
}

func TestAnOptionalStartOfChangedCodeWaitsForAReloadAndIsToldOnce(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, two, w, func(t *stage) {
		pass(bootTime)
		w.set(func() { w.boot = func(int) error { return supervisor.ErrPinned } })
		old := w.workers()[0]
		t.Replace(old, "calls")
		pass(time.Minute)
		if len(w.told) != 3 || w.told[2] != "pinned to 1" {
			t.Errorf("told of %q", w.told)
		}
		w.workers()[1].crash() // this one has to be replaced
		pass(bootTime)
		w.expectServing(t, 2, 1)
		w.set(func() { w.boot = nil })
		if err := t.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		pass(bootTime)
		w.expectServing(t, 2, 2)
	})
}

func TestTheNumberOfWorkersFollowsTheScale(t *testing.T) {
	t.Parallel()
	w := new(world)
	play(t, supervisor.Options{Max: 3, Initial: 0, Draining: 3}, w, func(t *stage) {
		for _, n := range []int{0, 1, 3, 2, 9, 0, 1} {
			t.Scale(n)
			pass(bootTime)
			w.expectServing(t, min(n, 3), 1)
		}
		t.Scale(3)
		pass(bootTime / 2)
		t.Scale(1) // while two are starting
		pass(time.Second)
		w.expectServing(t, 1, 1)
		if w.most > 3+1 {
			t.Errorf("there were %d workers", w.most)
		}
	})
}

func TestACloseGivesUpStartsAndWhatComesLaterDoesNothing(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(t *stage, w *world){
		"starting": func(*stage, *world) {},
		"backing off": func(_ *stage, w *world) {
			pass(bootTime)
			w.set(func() { w.boot = func(int) error { return errBoot } })
			w.workers()[0].crash()
			pass(time.Second)
		},
		"reloading": func(t *stage, _ *world) {
			t.Helper()
			pass(bootTime)
			go func() { _ = t.Reload(t.Context()) }()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := new(world)
			play(t, two, w, func(t *stage) {
				before(t, w)
				synctest.Wait()
				t.Close()
				starts := w.startCount()
				for _, worker := range w.workers() {
					t.Replace(worker, "late")
					t.Leave(worker, "late")
				}
				pass(time.Hour)
				t.Scale(1)
				if err := t.Reload(t.Context()); !errors.Is(err, supervisor.ErrClosed) {
					t.Errorf("a reload ended with %v", err)
				}
				pass(time.Hour)
				if more := w.startCount() - starts; more != 0 || w.starting > 0 {
					t.Errorf("%d more starts, %d under way", more, w.starting)
				}
				if late := t.Snapshot(func() {}).Totals.Restarts["late"]; late != 0 {
					t.Errorf("%d workers have left", late)
				}
			})
		})
	}
}

// Whatever happens, in whatever order, there are never too many workers, and in the end there are as many as there should
// be, all of the newest generation.
func TestAnyOrderOfEventsEndsWithTheRightWorkers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := new(world)
		options := supervisor.Options{Max: 1 + random.IntN(4), Draining: 1 + random.IntN(3)}
		options.Initial = random.IntN(options.Max + 1)
		play(t, options, w, func(t *stage) {
			wanted := options.Initial
			for range 60 {
				shake(t, random, w, options.Max, &wanted)
				pass(time.Duration(random.IntN(200)) * time.Millisecond)
			}
			w.set(func() { w.boot = nil })
			t.Scale(wanted)
			if err := t.Reload(t.Context()); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			pass(time.Minute)
			w.expectServing(t, wanted, t.Snapshot(func() {}).Generation)
			if w.most > options.Max+1+options.Draining || w.starting+len(w.draining) > 0 {
				t.Errorf("seed %d: %d workers at most, %d starting and %d draining in the end", seed, w.most, w.starting, len(w.draining))
			}
			if t.Failed() {
				t.Fatalf("seed %d, %+v", seed, options)
			}
		})
	}
}

// shake makes one thing happen.
func shake(t *stage, random *rand.Rand, w *world, most int, wanted *int) {
	t.Helper()
	workers := w.workers()
	var one *fake
	if len(workers) > 0 {
		one = workers[random.IntN(len(workers))]
	}
	switch event := random.IntN(8); {
	case event == 0:
		*wanted = random.IntN(most + 1)
		t.Scale(*wanted)
	case event == 1:
		go func() { _ = t.Reload(t.Context()) }()
	case event == 2:
		w.set(func() { w.boot = func(int) error { return errBoot } })
	case event == 3:
		w.set(func() {
			w.boot = func(n int) error {
				return []error{nil, errBoot, supervisor.ErrPinned, supervisor.ErrSignaled}[n%4]
			}
		})
	case event == 4:
		w.set(func() { w.boot = nil })
	case one == nil:
	case event == 5:
		t.Replace(one, "calls")
	case event == 6:
		t.Leave(one, "goaway")
	default:
		one.crash()
	}
}
