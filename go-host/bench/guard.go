package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// leastShare is what Rootbridge must do of the bare loop's calls in the same run. Half of what it does, so that a noisy
// machine does not fail it and a real loss does.
const leastShare = 0.45

// guard fails when Rootbridge has become slow.
func guard(ctx context.Context, progress io.Writer) error {
	const callers = 64
	w := works[0]
	s := session{
		plan:  plan{Rounds: 7, Duration: 200 * time.Millisecond, Works: map[int][]string{callers: {w.name}}},
		names: []string{"rootbridge", "bare-json"}, progress: progress,
	}
	cells, err := s.runWith(ctx, callers)
	if err != nil {
		return err
	}
	var shares []float64
	for round := range s.Rounds {
		shares = append(shares, cells[0].Rounds[round].Rate/cells[1].Rounds[round].Rate)
	}
	share := medianOf(shares)
	fmt.Fprintf(os.Stdout, "%s, %d callers: %.2f times the calls of the bare loop; at least %.2f are expected\n", w.name, callers, share, leastShare)
	if share < leastShare {
		return fmt.Errorf("rootbridge has become slow: expected at least %.2f times the calls of the bare loop, got %.2f; see docs/performance.md for how to profile it", leastShare, share)
	}
	return nil
}
