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

// expectation is what Rootbridge must do beside a bare loop in the same run.
type expectation struct {
	work            string
	callers         int
	contender, loop string
	least           float64 // of the loop's calls
	mostCPU         float64 // of the processor time of the loop's calls, of both sides
	mostAllocs      float64 // in Go, per call
}

// expectations are met with two busy processes beside, on two processors, which take calls from Rootbridge more than from the
// loops; its share of processor time is steadier. Allocations are the same on each machine, but for what a garbage collection takes
// out of pools.
var expectations = []expectation{
	{"echo-100B", 1, "rootbridge", "bare-json", 0.5, 1.6, 4},
	{"echo-100B", 1, "rootbridge-waits", "bare-json", 0.5, 1.9, 4},
	{"echo-100B", 64, "rootbridge", "bare-json", 0.5, 1.8, 4},
	{"echo-100B", 64, "rootbridge-waits", "bare-json", 0.5, 1.8, 4},
	{"echo-100B", 64, "rootbridge-traced", "bare-json", 0.45, 1.9, 7},
	{"echo-2KB", 64, "rootbridge", "bare-json", 0.7, 1.3, 115},
	{"bytes-2KB", 64, "rootbridge", "bare", 0.3, 3, 2.5},
	{"bytes-1MiB", 64, "rootbridge", "bare", 0.25, 3.6, 10},
}

// guard fails when Rootbridge has become slow.
func guard(ctx context.Context, progress io.Writer) error {
	s := guardSession(progress)
	var cells []cell
	err := s.calls(ctx, func(some []cell) error {
		cells = append(cells, some...)
		return nil
	})
	if err != nil {
		return err
	}
	errs := make([]error, len(expectations))
	for i, e := range expectations {
		errs[i] = e.check(cells, os.Stdout)
	}
	return errors.Join(errs...)
}

// check tells what was expected and what came, and fails where it is not met, or was not measured.
func (e expectation) check(cells []cell, out io.Writer) error {
	own, other := roundsOf(cells, e.contender, e.work, e.callers), roundsOf(cells, e.loop, e.work, e.callers)
	if len(own) == 0 || len(own) != len(other) {
		return fmt.Errorf("%s, %s: expected as many rounds of %s as of %s, got %d and %d", e.work, callersText(e.callers), e.contender, e.loop, len(own), len(other))
	}
	share, cpu, allocs := medianShare(own, other, rateOf), medianShare(own, other, cpuOf), median(own, allocsOf)
	fmt.Fprintf(out, "%s, %s: %s makes %.2f times the calls of %s, at least %.2f are expected, each with %.2f times the processor time, at most %.2f; %.1f allocations, at most %.1f\n",
		e.work, callersText(e.callers), e.contender, share, e.loop, e.least, cpu, e.mostCPU, allocs, e.mostAllocs)
	var errs []error
	if !(share >= e.least) {
		errs = append(errs, fmt.Errorf("%s has become slow at %s with %s: expected at least %.2f times the calls of %s, got %.2f; see docs/performance.md for how to profile it",
			e.contender, e.work, callersText(e.callers), e.least, e.loop, share))
	}
	if !(cpu <= e.mostCPU) {
		errs = append(errs, fmt.Errorf("%s takes more time at %s with %s: expected at most %.2f times the processor time of a call of %s, got %.2f; see docs/performance.md for how to profile it",
			e.contender, e.work, callersText(e.callers), e.mostCPU, e.loop, cpu))
	}
	if !(allocs <= e.mostAllocs) {
		errs = append(errs, fmt.Errorf("%s allocates more at %s with %s: expected at most %.1f allocations in Go for a call, got %.1f",
			e.contender, e.work, callersText(e.callers), e.mostAllocs, allocs))
	}
	return errors.Join(errs...)
}

func guardSession(progress io.Writer) *session {
	s := session{plan: plan{Rounds: 7, Duration: 200 * time.Millisecond, Works: map[int][]string{}}, progress: progress, steps: io.Discard}
	for _, e := range expectations {
		s.Works[e.callers] = withName(s.Works[e.callers], e.work)
		s.names = withName(withName(s.names, e.contender), e.loop)
	}
	return &s
}

func withName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// medianShare compares a figure of two contenders round by round.
func medianShare(one, other []figures, figure func(figures) float64) float64 {
	shares := make([]float64, len(one))
	for i := range one {
		shares[i] = figure(one[i]) / figure(other[i])
	}
	return medianOf(shares)
}

func rateOf(f figures) float64   { return f.Rate }
func cpuOf(f figures) float64    { return f.GoCPU + f.NodeCPU }
func allocsOf(f figures) float64 { return f.Allocs }

func roundsOf(cells []cell, contender, work string, callers int) []figures {
	for _, c := range cells {
		if c.Contender == contender && c.Work == work && c.Callers == callers {
			return c.Rounds
		}
	}
	return nil
}
