package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// guards are what Rootbridge must do of the calls of a bare loop in the same run: some three fifths of what it does, so that a noisy
// machine does not fail it and a real loss does. With one caller it does four times what is asked where it has a processor to poll on.
// Allocations are the same on each machine, but for what a garbage collection takes out of pools.
var guards = []struct {
	work            string
	callers         int
	contender, loop string
	least           float64
	mostAllocs      float64 // in Go, per call
}{
	{"echo-100B", 1, "rootbridge", "bare-json", 0.5, 5},
	{"echo-100B", 1, "rootbridge-waits", "bare-json", 0.5, 5},
	{"echo-100B", 64, "rootbridge", "bare-json", 0.55, 5},
	{"echo-100B", 64, "rootbridge-waits", "bare-json", 0.5, 5},
	{"echo-100B", 64, "rootbridge-traced", "bare-json", 0.5, 8},
	{"echo-2KB", 64, "rootbridge", "bare-json", 0.8, 97},
	{"bytes-2KB", 64, "rootbridge", "bare", 0.4, 3.5},
	{"bytes-1MiB", 64, "rootbridge", "bare", 0.35, 20},
}

// guard fails when Rootbridge has become slow.
func guard(ctx context.Context, progress io.Writer) error {
	s := guardSession(progress)
	var cells []cell
	for _, callers := range s.callerCounts() {
		some, err := s.runWith(ctx, callers)
		if err != nil {
			return err
		}
		cells = append(cells, some...)
	}
	var slow []error
	for _, g := range guards {
		own := roundsOf(cells, g.contender, g.work, g.callers)
		share := medianShare(own, roundsOf(cells, g.loop, g.work, g.callers))
		allocs := medianAllocs(own)
		fmt.Fprintf(os.Stdout, "%s, %d callers: %s makes %.2f times the calls of %s, at least %.2f are expected; %.1f allocations, at most %.1f\n",
			g.work, g.callers, g.contender, share, g.loop, g.least, allocs, g.mostAllocs)
		if share < g.least {
			slow = append(slow, fmt.Errorf("%s has become slow at %s with %d callers: expected at least %.2f times the calls of %s, got %.2f; see docs/performance.md for how to profile it",
				g.contender, g.work, g.callers, g.least, g.loop, share))
		}
		if allocs > g.mostAllocs {
			slow = append(slow, fmt.Errorf("%s allocates more at %s with %d callers: expected at most %.1f allocations in Go for a call, got %.1f",
				g.contender, g.work, g.callers, g.mostAllocs, allocs))
		}
	}
	return errors.Join(slow...)
}

func guardSession(progress io.Writer) *session {
	s := session{plan: plan{Rounds: 7, Duration: 200 * time.Millisecond, Works: map[int][]string{}}, progress: progress}
	for _, g := range guards {
		s.Works[g.callers] = withName(s.Works[g.callers], g.work)
		s.names = withName(withName(s.names, g.contender), g.loop)
	}
	return &s
}

func withName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// medianShare compares two contenders round by round.
func medianShare(one, other []figures) float64 {
	shares := make([]float64, len(one))
	for i := range one {
		shares[i] = one[i].Rate / other[i].Rate
	}
	return medianOf(shares)
}

func medianAllocs(rounds []figures) float64 {
	allocs := make([]float64, len(rounds))
	for i := range rounds {
		allocs[i] = rounds[i].Allocs
	}
	return medianOf(allocs)
}

func roundsOf(cells []cell, contender, work string, callers int) []figures {
	for _, c := range cells {
		if c.Contender == contender && c.Work == work && c.Callers == callers {
			return c.Rounds
		}
	}
	return nil
}
