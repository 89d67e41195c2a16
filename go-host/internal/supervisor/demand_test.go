package supervisor_test

import (
	"slices"
	"testing"
	"time"

	"rootbridge/internal/supervisor"
)

func TestDemandRisesAtOnceAndFallsAfterAWindow(t *testing.T) {
	t.Parallel()
	d := supervisor.NewDemand(1, 4, time.Minute)
	start := time.Now()
	var got []int
	for _, step := range []struct {
		after  time.Duration
		needed int
	}{
		{0, 0},
		{0, 3},
		{30 * time.Second, 1},
		{59 * time.Second, 2},
		{61 * time.Second, 1},
		{118 * time.Second, 0},
		{119 * time.Second, 0},
		{200 * time.Second, 9},
		{300 * time.Second, 0},
	} {
		got = append(got, d.Note(start.Add(step.after), step.needed))
	}
	if want := []int{1, 3, 3, 3, 2, 2, 1, 4, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, expected %v", got, want)
	}
}

func TestADemandThatChangesFasterThanTheWindowKeepsItsPeak(t *testing.T) {
	t.Parallel()
	d := supervisor.NewDemand(0, 8, time.Minute)
	now := time.Now()
	for i := range 1_000 {
		needed := 1
		if i%3 == 0 {
			needed = 5
		}
		if got := d.Note(now, needed); got != 5 {
			t.Fatalf("step %d: %d workers", i, got)
		}
		now = now.Add(15 * time.Second)
	}
}
