package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// guards are what Rootbridge must do of the calls of a bare loop in the same run: half of what it does, so that a noisy machine
// does not fail it and a real loss does.
var guards = []struct {
	contender, loop string
	work            string
	least           float64
}{
	{"rootbridge", "bare-json", "echo-100B", 0.45},
	{"rootbridge-waits", "bare-json", "echo-100B", 0.4},
	{"rootbridge", "bare", "bytes-2KB", 0.2},
}

// guard fails when Rootbridge has become slow.
func guard(ctx context.Context, progress io.Writer) error {
	const callers = 64
	s := session{
		plan:  plan{Rounds: 7, Duration: 200 * time.Millisecond, Works: map[int][]string{callers: {"echo-100B", "bytes-2KB"}}},
		names: []string{"rootbridge", "rootbridge-waits", "bare-json", "bare"}, progress: progress,
	}
	cells, err := s.runWith(ctx, callers)
	if err != nil {
		return err
	}
	var slow []error
	for _, g := range guards {
		share := medianShare(cells, g.work, g.contender, g.loop)
		fmt.Fprintf(os.Stdout, "%s, %d callers: %s makes %.2f times the calls of %s; at least %.2f are expected\n",
			g.work, callers, g.contender, share, g.loop, g.least)
		if share < g.least {
			slow = append(slow, fmt.Errorf("%s has become slow at %s: expected at least %.2f times the calls of %s, got %.2f; see docs/performance.md for how to profile it",
				g.contender, g.work, g.least, g.loop, share))
		}
	}
	return errors.Join(slow...)
}

// medianShare compares two contenders round by round.
func medianShare(cells []cell, work, contender, other string) float64 {
	a, b := roundsOf(cells, work, contender), roundsOf(cells, work, other)
	shares := make([]float64, len(a))
	for i := range a {
		shares[i] = a[i].Rate / b[i].Rate
	}
	return medianOf(shares)
}

func roundsOf(cells []cell, work, contender string) []figures {
	for _, c := range cells {
		if c.Work == work && c.Contender == contender {
			return c.Rounds
		}
	}
	return nil
}
