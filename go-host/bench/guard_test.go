package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestTheGuardTellsALossFromNoise(t *testing.T) {
	t.Parallel()
	even := []float64{1, 1, 1}
	e := expectation{"echo-100B", 64, "rootbridge", "bare-json", 0.5, 1.5, 5}
	for name, c := range map[string]struct {
		rates, loops, cpu, allocs []float64
		want                      string // in the error; "" for none
	}{
		"as expected":                   {[]float64{60, 70, 80}, []float64{100, 100, 100}, even, []float64{4, 4, 4}, ""},
		"one round in which both were":  {[]float64{60, 7, 80}, []float64{100, 10, 100}, even, []float64{4, 4, 4}, ""},
		"one round in which it was not": {[]float64{60, 7, 80}, []float64{100, 100, 100}, []float64{1, 9, 1.4}, []float64{4, 90, 4}, ""},
		"slow":                          {[]float64{49, 48, 80}, []float64{100, 100, 100}, even, []float64{4, 4, 4}, "at least 0.50 times the calls of bare-json, got 0.49"},
		"more processor time":           {[]float64{60, 70, 80}, []float64{100, 100, 100}, []float64{1.4, 1.6, 1.7}, []float64{4, 4, 4}, "at most 1.50 times the processor time of a call of bare-json, got 1.60"},
		"more allocations":              {[]float64{60, 70, 80}, []float64{100, 100, 100}, even, []float64{4, 6, 7}, "at most 5.0 allocations in Go for a call, got 6.0"},
		"no call made":                  {[]float64{0, 0, 0}, []float64{0, 0, 0}, even, []float64{4, 4, 4}, "has become slow"},
		"not measured":                  {nil, nil, nil, nil, "got 0 and 0"},
		"the loop not measured":         {[]float64{60}, nil, []float64{1}, []float64{4}, "got 1 and 0"},
	} {
		cells := []cell{
			{"rootbridge", "echo-2KB", 64, rounds([]float64{1}, []float64{1}, []float64{1})},
			{"rootbridge", "echo-100B", 1, rounds([]float64{1}, []float64{1}, []float64{1})},
			{"rootbridge", "echo-100B", 64, rounds(c.rates, c.cpu, c.allocs)},
			{"bare-json", "echo-100B", 64, rounds(c.loops, slices.Repeat([]float64{1}, len(c.loops)), c.loops)},
		}
		err := e.check(cells, io.Discard)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
}

// rounds shares processor time between both sides.
func rounds(rates, cpu, allocs []float64) []figures {
	all := make([]figures, len(rates))
	for i := range rates {
		all[i] = figures{Rate: rates[i], GoCPU: cpu[i] / 4, NodeCPU: cpu[i] * 3 / 4, Allocs: allocs[i]}
	}
	return all
}

func TestTheGuardMeasuresAllThatItExpects(t *testing.T) {
	t.Parallel()
	s := guardSession(io.Discard)
	for _, e := range expectations {
		for _, contender := range []string{e.contender, e.loop} {
			measures := func(c cell) bool { return c.Contender == contender && c.Work == e.work }
			if !slices.ContainsFunc(s.cells(e.callers), measures) {
				t.Errorf("%s does not do %s with %d callers", contender, e.work, e.callers)
			}
		}
	}
}
