package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a contender that gives back bytes as they are, and does something besides.
type fake struct {
	call func(caller int) error
	pids []int
}

func (f *fake) Call(_ context.Context, caller int, _ string, in, out any) error {
	*out.(*[]byte) = in.([]byte) //nolint:errcheck // as bytesWork has it
	return f.call(caller)
}

func (f *fake) PIDs() []int { return f.pids }

func (f *fake) Close() error { return nil }

// attempt measures a work that fake does.
func attempt(t *testing.T, c contender, callers int, duration time.Duration) (figures, error) {
	t.Helper()
	w, err := workOf("bytes-100B")
	if err != nil {
		t.Fatal(err)
	}
	return measure(t.Context(), c, w, callers, duration)
}

func measured(t *testing.T, c contender, callers int, duration time.Duration) figures {
	t.Helper()
	f, err := attempt(t, c, callers, duration)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPercentilesAndTheRateAreThoseOfAllCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const callers = 4
		times := growing(1_000)
		var all time.Duration
		for _, d := range times {
			all += d
		}
		made := make([]int, callers)
		c := &fake{call: func(caller int) error { // each makes all, from another one on
			time.Sleep(times[(made[caller]+caller*len(times)/callers)%len(times)])
			made[caller]++
			return nil
		}}
		f := measured(t, c, callers, all-times[0]/2) // the last call of each is on its way
		if want := int64(callers * len(times)); f.Calls != want {
			t.Fatalf("got %d calls, expected %d", f.Calls, want)
		}
		if want := float64(f.Calls) / all.Seconds(); math.Abs(f.Rate-want) > want/1e6 {
			t.Errorf("got %v calls per second, expected %v", f.Rate, want)
		}
		for rank, got := range map[int]float64{500: f.P50, 990: f.P99, 999: f.P999} {
			want := times[rank-1].Seconds() * 1e6
			if math.Abs(got-want) > want/100 {
				t.Errorf("got %.1f us, expected %.1f, as %d of %d calls take at most", got, want, rank, len(times))
			}
		}
	})
}

// growing has times from a microsecond on, each longer by more than those of a histogram are exact to.
func growing(n int) []time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = time.Duration(1e3 * math.Pow(1.015, float64(i)))
	}
	return times
}

func TestEachCallerMakesAtLeastFourCallsUnlessThatTakesFourTimesTheRound(t *testing.T) {
	t.Parallel()
	const round, callers = 100 * time.Millisecond, 3
	for each, want := range map[time.Duration]int{
		24 * time.Millisecond:  5, // one is on its way when the round is over
		90 * time.Millisecond:  4,
		150 * time.Millisecond: 3,
		time.Second:            1,
	} {
		synctest.Test(t, func(t *testing.T) {
			made := make([]int, callers)
			c := &fake{call: func(caller int) error { time.Sleep(each); made[caller]++; return nil }}
			f := measured(t, c, callers, round)
			if expected := slices.Repeat([]int{want}, callers); !slices.Equal(made, expected) || f.Calls != int64(want*callers) {
				t.Errorf("calls of %v: %v were made and %d counted, expected %v", each, made, f.Calls, expected)
			}
		})
	}
}

func TestACallThatFailsEndsTheMeasurementWithItsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		made := make([]int, 3)
		c := &fake{call: func(caller int) error {
			time.Sleep(time.Millisecond)
			made[caller]++
			if caller == 1 && made[caller] == 7 {
				return broken
			}
			return nil
		}}
		if _, err := attempt(t, c, len(made), 100*time.Millisecond); !errors.Is(err, broken) {
			t.Errorf("got %v, expected %v", err, broken)
		}
		if made[1] != 7 {
			t.Errorf("whose call has failed makes %d more", made[1]-7)
		}
	})
}

func TestAnInterruptedMeasurementEndsAtOnceAndHasNoFigures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, err := workOf("bytes-100B")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		c := &fake{call: func(int) error { time.Sleep(3 * time.Millisecond); return nil }} // which takes no notice
		if f, err := measure(ctx, c, w, 2, time.Hour); !errors.Is(err, context.DeadlineExceeded) || f != (figures{}) {
			t.Errorf("got %+v and %v, expected an error alone", f, err)
		}
		if took := time.Since(start); took != 12*time.Millisecond {
			t.Errorf("it ended after %v, expected the end of the calls under way", took)
		}
	})
}

// liar gives one caller another last byte.
type liar struct{ fake }

func (l *liar) Call(ctx context.Context, caller int, method string, in, out any) error {
	err := l.fake.Call(ctx, caller, method, in, out)
	if answer := out.(*[]byte); caller == 2 { //nolint:errcheck // as bytesWork has it
		*answer = slices.Clone(*answer)
		(*answer)[len(*answer)-1]++
	}
	return err
}

func TestAWrongResultOfOneCallerIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &liar{fake{call: func(int) error { time.Sleep(time.Millisecond); return nil }}}
		if _, err := attempt(t, c, 2, 10*time.Millisecond); err != nil {
			t.Errorf("all is right: %v", err)
		}
		if _, err := attempt(t, c, 4, 10*time.Millisecond); err == nil || !strings.Contains(err.Error(), "bytes-100B: expected") {
			t.Errorf("got %v, expected it to tell what was expected and what came", err)
		}
	})
}
