package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rootbridge/internal/pool"
)

var options = pool.Options{QueueLimit: 3}

func TestTheLeastLoadedSlotIsHandedOut(t *testing.T) {
	t.Parallel()
	p := pool.New[string](options)
	a, b := pool.NewSlot("a", 2), pool.NewSlot("b", 2)
	p.Add(a)
	p.Add(b)
	first, second := acquire(t, p), acquire(t, p)
	if first == second {
		t.Errorf("both calls went to %s", first.Resource)
	}
	p.Release(first)
	if third := acquire(t, p); third != first {
		t.Errorf("the third call went to %s, which is busier", third.Resource)
	}
}

func TestWaitersAreServedFirstInFirstOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](options)
		slot := pool.NewSlot(1, 1)
		p.Add(slot)
		acquire(t, p)
		var order []int
		var done sync.WaitGroup
		for i := range 3 {
			done.Go(func() {
				slot := acquire(t, p)
				order = append(order, i)
				p.Release(slot)
			})
			synctest.Wait()
		}
		p.Release(slot)
		done.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("served in the order %v", order)
			}
		}
	})
}

func TestAWaiterThatLeavesLeavesTheOthersInTheirOrder(t *testing.T) {
	t.Parallel()
	for leaving := range 3 {
		synctest.Test(t, func(t *testing.T) {
			p := pool.New[int](options)
			slot := pool.NewSlot(1, 1)
			p.Add(slot)
			acquire(t, p)
			ctx, leave := context.WithCancel(t.Context())
			var order []int
			var done sync.WaitGroup
			for i := range 3 {
				done.Go(func() {
					waits := t.Context()
					if i == leaving {
						waits = ctx
					}
					if slot, err := p.Acquire(waits, soon(), time.Time{}); err == nil {
						order = append(order, i)
						p.Release(slot)
					}
				})
				synctest.Wait()
			}
			leave()
			synctest.Wait()
			if queued := p.Stats().Queued; queued != 2 {
				t.Errorf("%d queued when one of three has left", queued)
			}
			p.Release(slot)
			done.Wait()
			if want := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == leaving }); !slices.Equal(order, want) {
				t.Errorf("%d left, and the others were served in the order %v", leaving, order)
			}
		})
	}
}

func TestOneBeyondTheQueueLimitIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](options)
		for range options.QueueLimit {
			go func() { _, _ = p.Acquire(t.Context(), soon(), time.Time{}) }()
		}
		synctest.Wait()
		if _, err := p.Acquire(t.Context(), soon(), time.Time{}); !errors.Is(err, pool.ErrQueueFull) {
			t.Errorf("got %v", err)
		}
		if got := p.Stats().Queued; got != options.QueueLimit {
			t.Errorf("%d queued", got)
		}
		p.Close()
	})
}

func TestACallerWhoseSlotWasOfNoUseComesBeforeAllWhoWaitAndIsNoneOfTheQueueLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](pool.Options{QueueLimit: 1})
		slot := pool.NewSlot(1, 1)
		p.Add(slot)
		acquire(t, p)
		var order []string
		var done sync.WaitGroup
		waits := func(name string, acquire func(context.Context, time.Time, time.Time) (*pool.Slot[int], error)) {
			done.Go(func() {
				slot, err := acquire(t.Context(), time.Now().Add(time.Minute), time.Time{})
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				order = append(order, name)
				p.Release(slot)
			})
			synctest.Wait()
		}
		waits("new", p.Acquire)
		waits("again", p.AcquireAgain)
		waits("again, too", p.AcquireAgain)
		p.Release(slot)
		done.Wait()
		if !slices.Equal(order, []string{"again", "again, too", "new"}) {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestAWaitEndsWithTheQueueTimeoutTheContextOrTheLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ctx     func(context.Context) context.Context
		expires time.Duration
		want    error
		after   time.Duration
	}{
		"queue timeout": {func(c context.Context) context.Context { return c }, time.Minute, pool.ErrQueueWait, time.Second},
		"limit":         {func(c context.Context) context.Context { return c }, time.Millisecond, context.DeadlineExceeded, time.Millisecond},
		"context": {func(c context.Context) context.Context {
			ctx, cancel := context.WithCancelCause(c)
			time.AfterFunc(2*time.Millisecond, func() { cancel(errors.New("not the pool's error")) })
			return ctx
		}, time.Minute, context.Canceled, 2 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := pool.New[int](options)
				start := time.Now()
				_, err := p.Acquire(c.ctx(t.Context()), soon(), time.Now().Add(c.expires))
				if !errors.Is(err, c.want) || time.Since(start) != c.after {
					t.Errorf("ended with %v after %v", err, time.Since(start))
				}
				if got := p.Stats().Queued; got != 0 {
					t.Errorf("%d still queued", got)
				}
			})
		})
	}
}

// A waiter that leaves at the very moment when it is granted a slot must not take the slot along.
func TestASlotGrantedToALeavingWaiterIsNotLost(t *testing.T) {
	t.Parallel()
	p := pool.New[int](options)
	slot := pool.NewSlot(1, 1)
	p.Add(slot)
	for range 2_000 {
		acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		var both sync.WaitGroup
		both.Go(func() {
			if got, err := p.Acquire(ctx, soon(), time.Time{}); err == nil {
				p.Release(got)
			}
		})
		both.Go(cancel)
		p.Release(slot)
		both.Wait()
	}
	if got := p.Stats(); got.Users != 0 || got.Queued != 0 {
		t.Errorf("left over: %+v", got)
	}
}

// Waiters serve one caller after another: none may be told what is meant for another.
func TestCallersAmongOthersWhoLeaveGetASlotOfTheirOwnOrTheReasonOfTheirOwn(t *testing.T) {
	t.Parallel()
	const callers, calls = 16, 1_000
	p := pool.New[*atomic.Int32](pool.Options{QueueLimit: callers})
	for range 2 {
		p.Add(pool.NewSlot(new(atomic.Int32), 1))
	}
	var done sync.WaitGroup
	for caller := range callers {
		done.Go(func() {
			for range calls {
				ctx, cancel := context.WithCancel(t.Context())
				until := time.Now().Add(time.Minute)
				switch caller % 3 {
				case 1:
					until = time.Now().Add(rand.N(50 * time.Microsecond))
				case 2:
					time.AfterFunc(rand.N(50*time.Microsecond), cancel)
				}
				slot, err := p.Acquire(ctx, until, time.Time{})
				switch {
				case err == nil:
					if users := slot.Resource.Add(1); users != 1 {
						t.Errorf("%d users of a slot for one", users)
					}
					runtime.Gosched()
					slot.Resource.Add(-1)
					p.Release(slot)
				case errors.Is(err, pool.ErrQueueWait) && !time.Now().Before(until):
				case errors.Is(err, context.Canceled) && ctx.Err() != nil:
				default:
					t.Errorf("caller %d: %v", caller, err)
				}
				cancel()
			}
		})
	}
	done.Wait()
	if got := p.Stats(); got.Users != 0 || got.Queued != 0 {
		t.Errorf("left over: %+v", got)
	}
}

func TestADrainingSlotTakesNobodyAndARemovedOneIsForgotten(t *testing.T) {
	t.Parallel()
	p := pool.New[string](options)
	old := pool.NewSlot("old", 5)
	p.Add(old)
	user := acquire(t, p)
	p.Drain(old)
	p.Add(pool.NewSlot("new", 5))
	for range 3 {
		if got := acquire(t, p).Resource; got != "new" {
			t.Fatalf("a call went to %s", got)
		}
	}
	want := []pool.SlotStats[string]{{"old", 1, pool.Draining}, {"new", 3, pool.Open}}
	if got := p.Stats(); !slices.Equal(got.Slots, want) || got.Users != 4 {
		t.Errorf("got %+v", got)
	}
	p.Remove(old)
	p.Release(user)
	if got := p.Stats(); len(got.Slots) != 1 || got.Slots[0].Resource != "new" || got.Users != 3 {
		t.Errorf("left: %+v", got)
	}
}

func TestAPausedSlotTakesNobodyUntilItIsResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](options)
		slot := pool.NewSlot(1, 2)
		p.Add(slot)
		p.Pause(slot)
		served := false
		go func() { acquire(t, p); served = true }()
		synctest.Wait()
		if got := p.Stats(); served || got.Slots[0].State != pool.Paused || got.Queued != 1 || p.HasOpen() {
			t.Errorf("served: %v, %+v", served, got)
		}
		p.Resume(slot)
		synctest.Wait()
		if !served {
			t.Error("the waiter was forgotten")
		}
	})
}

func TestABrokenPoolFailsAtOnceUntilAResourceIsAdded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](options)
		broken := errors.New("does not boot")
		var waited error
		go func() { _, waited = p.Acquire(t.Context(), soon(), time.Time{}) }()
		synctest.Wait()
		p.Break(broken)
		synctest.Wait()
		if _, err := p.Acquire(t.Context(), soon(), time.Time{}); !errors.Is(err, broken) || !errors.Is(waited, broken) || !errors.Is(p.Broken(), broken) {
			t.Errorf("got %v, the waiter %v", err, waited)
		}
		p.Add(pool.NewSlot(1, 1))
		acquire(t, p)
		p.Break(broken) // somebody is there to wait for
		go func() { _, waited = p.Acquire(t.Context(), soon(), time.Time{}) }()
		synctest.Wait()
		if p.Stats().Queued != 1 || p.Broken() != nil {
			t.Error("a call was refused although a worker is up")
		}
		p.Close()
	})
}

func TestACloseEndsEveryWaitAndRefusesLaterCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](options)
		var waited error
		go func() { _, waited = p.Acquire(t.Context(), soon(), time.Time{}) }()
		synctest.Wait()
		p.Close()
		synctest.Wait()
		if _, err := p.Acquire(t.Context(), soon(), time.Time{}); !errors.Is(err, pool.ErrClosed) || !errors.Is(waited, pool.ErrClosed) {
			t.Errorf("got %v, the waiter %v", err, waited)
		}
	})
}

func TestThePeakIsTheMostUsersAndWaitersSinceItWasTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New[int](options)
		slot := pool.NewSlot(1, 2)
		p.Add(slot)
		acquire(t, p)
		acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = p.Acquire(ctx, soon(), time.Time{}) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		p.Release(slot)
		if first, second := p.TakePeak(), p.TakePeak(); first != 3 || second != 1 {
			t.Errorf("the peaks were %d and then %d, expected 3 and 1", first, second)
		}
	})
}

func TestEveryCallerWithoutRoomIsToldOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var loads []int
		p := pool.New[int](pool.Options{QueueLimit: 1, OnWait: func(load int) { loads = append(loads, load) }})
		go func() { _, _ = p.Acquire(t.Context(), soon(), time.Time{}) }()
		synctest.Wait()
		if full := p.IsFull(); !full {
			t.Error("a full queue does not show")
		}
		_, _ = p.Acquire(t.Context(), soon(), time.Time{})
		p.Break(errors.New("does not boot"))
		_, _ = p.Acquire(t.Context(), soon(), time.Time{})
		synctest.Wait()
		p.Add(pool.NewSlot(1, 1))
		acquire(t, p)
		if !slices.Equal(loads, []int{1, 2, 1}) || p.IsFull() {
			t.Errorf("told of %v, full: %v", loads, p.IsFull())
		}
	})
}

// soon is until when these tests wait.
func soon() time.Time { return time.Now().Add(time.Second) }

func acquire[T any](t *testing.T, p *pool.Pool[T]) *pool.Slot[T] {
	t.Helper()
	slot, err := p.Acquire(t.Context(), soon(), time.Time{})
	if err != nil {
		t.Error(err)
		t.FailNow()
	}
	return slot
}
