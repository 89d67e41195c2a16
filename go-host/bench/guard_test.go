package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestTheGuardTellsALossFromNoise(t *testing.T) {
	t.Parallel()
	e := expectation{"echo-100B", 64, "rootbridge", "bare-json", bounds{calls: 0.5, cpu: 1.5, allocs: 5, reads: 3, writes: 0.6}}
	usual := figures{Rate: 70, GoCPU: 0.25, NodeCPU: 0.75, Allocs: 4, Reads: 4, Writes: 0.4}
	loop := figures{Rate: 100, GoCPU: 0.5, NodeCPU: 0.5, Allocs: 100}
	loops := []figures{loop, loop, loop}
	changed := func(change func(f *figures)) []figures {
		f := usual
		change(&f)
		return []figures{usual, f, f}
	}
	for name, c := range map[string]struct {
		own, loops []figures
		want       string // in the error; "" for none
	}{
		"as expected":                   {changed(func(*figures) {}), loops, ""},
		"at its bounds":                 {changed(func(f *figures) { *f = figures{Rate: 50, GoCPU: 0.5, NodeCPU: 1, Allocs: 5, Reads: 3, Writes: 0.6} }), loops, ""},
		"one round in which both were":  {[]figures{usual, slow(usual), usual}, []figures{loop, slow(loop), loop}, ""},
		"one round in which it was not": {[]figures{usual, slow(usual), usual}, loops, ""},
		"fewer calls":                   {changed(func(f *figures) { f.Rate = 49 }), loops, "expected at least 0.50 times the calls of bare-json, got 0.49"},
		"more processor time":           {changed(func(f *figures) { f.GoCPU = 0.85 }), loops, "expected at most 1.50 times the processor time of a call of bare-json, got 1.60"},
		"more allocations":              {changed(func(f *figures) { f.Allocs = 6 }), loops, "expected at most 5.00 allocations in Go for a call, got 6.00"},
		"no polls":                      {changed(func(f *figures) { f.Reads = 2 }), loops, "expected at least 3.00 reads for a call, as polling makes, got 2.00"},
		"a write for each call":         {changed(func(f *figures) { f.Writes = 1 }), loops, "expected at most 0.60 writes for a call, as callers make who write together, got 1.00"},
		"no call made":                  {make([]figures, 3), make([]figures, 3), "expected at least 0.50 times the calls"},
		"not measured":                  {nil, nil, "got 0 and 0"},
		"the loop not measured":         {[]figures{usual}, nil, "got 1 and 0"},
	} {
		cells := []cell{
			{"rootbridge", "echo-2KB", 64, []figures{{}}},
			{"rootbridge", "echo-100B", 1, []figures{{}}},
			{"rootbridge", "echo-100B", 64, c.own},
			{"bare-json", "echo-100B", 64, c.loops},
		}
		err := e.check(cells, io.Discard)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
}

// slow is what a round has in which the machine did something else.
func slow(f figures) figures {
	return figures{Rate: f.Rate / 10, GoCPU: f.GoCPU * 9, NodeCPU: f.NodeCPU * 9, Allocs: 90, Reads: f.Reads / 9, Writes: 9}
}

func TestTheGuardMeasuresAllThatItExpects(t *testing.T) {
	t.Parallel()
	s := guardSession(io.Discard)
	for _, e := range expectations {
		for _, contender := range []string{e.contender, e.other} {
			measures := func(c cell) bool { return c.Contender == contender && c.Work == e.work }
			if !slices.ContainsFunc(s.cells(e.callers), measures) {
				t.Errorf("%s does not do %s with %d callers", contender, e.work, e.callers)
			}
		}
	}
}
