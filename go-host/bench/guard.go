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

// expectation is what Rootbridge must do beside another contender in the same run.
type expectation struct {
	work             string
	callers          int
	contender, other string
	bounds
}

// bounds are for what a call takes, and for how many are made.
type bounds struct {
	calls  float64 // of the other's, at least
	cpu    float64 // of the processor time of the other's calls, of both sides, at most
	allocs float64 // in Go, per call, at most
	reads  float64 // system calls that read, per call, at least: how often answers were asked for
	writes float64 // likewise that write, at most
}

// expectations are met with three busy processes beside, on two processors, which take calls from Rootbridge more than from the
// loops; its share of processor time is steadier, and allocations are the same but for what a garbage collection takes out of pools.
// Of one caller who polls a call has 3.6 reads then, and 16 and more on a machine that does nothing else; without polling 2.2 to 2.4.
// Of 64 callers it has up to 0.5 writes, and 0.8 and more where callers don't let each other run before a write.
var expectations = []expectation{
	{"echo-100B", 1, "rootbridge", "bare-json", bounds{calls: 0.5, cpu: 1.6, allocs: 4, reads: 3, writes: 1.6}},
	{"echo-100B", 1, "rootbridge-waits", "bare-json", bounds{calls: 0.5, cpu: 1.9, allocs: 4, writes: 1.6}},
	{"echo-100B", 64, "rootbridge", "bare-json", bounds{calls: 0.5, cpu: 1.8, allocs: 4, writes: 0.65}},
	{"echo-100B", 64, "rootbridge-waits", "bare-json", bounds{calls: 0.5, cpu: 1.8, allocs: 4, writes: 0.65}},
	{"echo-100B", 64, "rootbridge-traced", "bare-json", bounds{calls: 0.45, cpu: 1.9, allocs: 7, writes: 0.65}},
	{"echo-100B", 64, "rootbridge-serial", "bare-json", bounds{calls: 0.04, cpu: 12, allocs: 4, writes: 1.6}},
	{"echo-100B", 64, "rootbridge-2-workers", "bare-json", bounds{calls: 0.3, cpu: 2.5, allocs: 4, writes: 0.65}},
	{"echo-2KB", 64, "rootbridge", "bare-json", bounds{calls: 0.7, cpu: 1.3, allocs: 125, writes: 0.8}},
	{"bytes-2KB", 64, "rootbridge", "bare", bounds{calls: 0.15, cpu: 4, allocs: 2.5, writes: 0.65}},
	{"bytes-1MiB", 64, "rootbridge", "bare", bounds{calls: 0.25, cpu: 3.6, allocs: 8, writes: 12}},
	{"blob-64KiB", 64, "rootbridge-msgpack", "rootbridge", bounds{calls: 1.3, cpu: 0.9, allocs: 15, writes: 4}},
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
	own, other := roundsOf(cells, e.contender, e.work, e.callers), roundsOf(cells, e.other, e.work, e.callers)
	if len(own) == 0 || len(own) != len(other) {
		return fmt.Errorf("%s, %s: expected as many rounds of %s as of %s, got %d and %d", e.work, callersText(e.callers), e.contender, e.other, len(own), len(other))
	}
	had := bounds{medianShare(own, other, rateOf), medianShare(own, other, cpuOf), median(own, allocsOf), median(own, readsOf), median(own, writesOf)}
	fmt.Fprintf(out, "%s, %s: %s has %.2f times the calls of %s (at least %.2f), each with %.2f times the processor time (at most %.2f),\n",
		e.work, callersText(e.callers), e.contender, had.calls, e.other, e.calls, had.cpu, e.cpu)
	fmt.Fprintf(out, "  %.1f allocations (at most %.1f), %.2f writes (at most %.2f) and %.2f reads", had.allocs, e.allocs, had.writes, e.writes, had.reads)
	if e.reads > 0 {
		fmt.Fprintf(out, " (at least %.0f)", e.reads)
	}
	fmt.Fprintln(out)
	return errors.Join(
		e.least("times the calls of "+e.other, e.calls, had.calls),
		e.most("times the processor time of a call of "+e.other, e.cpu, had.cpu),
		e.most("allocations in Go for a call", e.allocs, had.allocs),
		e.least("reads for a call, as polling makes", e.reads, had.reads),
		e.most("writes for a call, as callers make who write together", e.writes, had.writes),
	)
}

func (e expectation) least(what string, bound, got float64) error {
	if got >= bound {
		return nil
	}
	return e.loss("at least", what, bound, got)
}

func (e expectation) most(what string, bound, got float64) error {
	if got <= bound {
		return nil
	}
	return e.loss("at most", what, bound, got)
}

func (e expectation) loss(side, what string, bound, got float64) error {
	return fmt.Errorf("%s has lost at %s with %s: expected %s %.2f %s, got %.2f; see docs/performance.md for how to profile it",
		e.contender, e.work, callersText(e.callers), side, bound, what, got)
}

func guardSession(progress io.Writer) *session {
	s := session{
		plan:  plan{Rounds: 7, Duration: 200 * time.Millisecond, Works: map[int][]string{}},
		wants: isExpected, progress: progress, steps: io.Discard,
	}
	for _, e := range expectations {
		s.Works[e.callers] = withName(s.Works[e.callers], e.work)
		s.names = withName(withName(s.names, e.contender), e.other)
	}
	return &s
}

func isExpected(c cell) bool {
	return slices.ContainsFunc(expectations, func(e expectation) bool {
		return e.work == c.Work && e.callers == c.Callers && (e.contender == c.Contender || e.other == c.Contender)
	})
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
func readsOf(f figures) float64  { return f.Reads }
func writesOf(f figures) float64 { return f.Writes }

func roundsOf(cells []cell, contender, work string, callers int) []figures {
	for _, c := range cells {
		if c.Contender == contender && c.Work == work && c.Callers == callers {
			return c.Rounds
		}
	}
	return nil
}
