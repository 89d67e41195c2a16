package main

import (
	"chaos/latency"
	"fmt"
	"io"
	"slices"
)

// result is what was measured.
type result struct {
	workers         int
	capacity        float64 // calls a second
	without, during latency.Sample
	reloads         latency.Sample
	failures        []error
}

// newResult sorts the calls: those of which any part was during a reload, and all others.
func newResult(b *bench, capacity float64, windows []window) *result {
	r := &result{workers: b.workers, capacity: capacity, failures: b.failures}
	for _, s := range b.samples {
		if slices.ContainsFunc(windows, s.touches) {
			r.during = append(r.during, s.took)
		} else {
			r.without = append(r.without, s.took)
		}
	}
	for _, w := range windows {
		r.reloads = append(r.reloads, w.until.Sub(w.from))
	}
	r.without.Sort()
	r.during.Sort()
	r.reloads.Sort()
	return r
}

func (s sample) touches(w window) bool {
	return s.due.Before(w.until) && s.due.Add(s.took).After(w.from)
}

func (r *result) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%d workers, %d calls each at a time: %.0f calls/s at most, so %.0f calls/s all the time\n", r.workers, concurrency, r.capacity, r.capacity/2)
	_, _ = fmt.Fprintf(w, "%d reloads of %v each (median), %v at most\n\n", len(r.reloads), r.reloads.At(0.5), r.reloads.At(1))
	latency.PrintHead(w)
	r.without.PrintRow(w, "without a reload")
	r.during.PrintRow(w, "during a reload")
	r.during.PrintRatio(w, r.without)
	_, _ = fmt.Fprintf(w, "\nfailed calls: %d\n", len(r.failures))
	for _, err := range r.failures[:min(len(r.failures), 5)] {
		_, _ = fmt.Fprintln(w, " ", err)
	}
}
