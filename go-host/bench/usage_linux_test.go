package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
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

// Allocations, processor time and memory are those of this process and of all its children: tests of them have it for themselves,
// none at a time with another.

func TestWhatItCostsToReadWhatIsUsedIsNotMeasured(t *testing.T) {
	pids := slices.Repeat([]int{os.Getpid()}, 100)
	before := timeOf(rusage(unix.RUSAGE_SELF))
	if _, err := usageUntil(pids); err != nil {
		t.Fatal(err)
	}
	reading := timeOf(rusage(unix.RUSAGE_SELF)) - before
	synctest.Test(t, func(t *testing.T) {
		sleepy := &fake{func(int) error { time.Sleep(time.Millisecond); return nil }, pids}
		f := measured(t, sleepy, 1, time.Millisecond)
		if allocs := f.Allocs * float64(f.Calls); allocs >= float64(len(pids)) {
			t.Errorf("%.0f allocations in %d calls that have none, beside %d processes", allocs, f.Calls, len(pids))
		}
		if used := time.Duration(f.GoCPU*float64(f.Calls)) * time.Microsecond; used > reading/4 {
			t.Errorf("%d calls that do nothing took %v of processor time; to read once what is used takes %v", f.Calls, used, reading)
		}
	})
}

func measured(t *testing.T, c contender, callers int, duration time.Duration) figures {
	t.Helper()
	w, err := workOf("bytes-100B")
	if err != nil {
		t.Fatal(err)
	}
	f, err := measure(t.Context(), c, w, callers, duration)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
