package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// result is what was measured.
type result struct {
	workers         int
	capacity        float64 // calls a second
	without, during []time.Duration
	reloads         []time.Duration
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
	slices.Sort(r.without)
	slices.Sort(r.during)
	slices.Sort(r.reloads)
	return r
}

func (s sample) touches(w window) bool {
	return s.due.Before(w.until) && s.due.Add(s.took).After(w.from)
}

func (r *result) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%d workers, %d calls each at a time: %.0f calls/s at most, so %.0f calls/s all the time\n", r.workers, concurrency, r.capacity, r.capacity/2)
	_, _ = fmt.Fprintf(w, "%d reloads of %v each (median), %v at most\n\n", len(r.reloads), at(r.reloads, 0.5), at(r.reloads, 1))
	_, _ = fmt.Fprintf(w, "%-20s %10s %10s %10s %10s\n", "latency", "calls", "p50", "p99", "max")
	printRow(w, "without a reload", r.without)
	printRow(w, "during a reload", r.during)
	_, _ = fmt.Fprintf(w, "%-20s %10s %10s %10s %10s\n", "ratio", "", r.ratio(0.5), r.ratio(0.99), r.ratio(1))
	_, _ = fmt.Fprintf(w, "\nfailed calls: %d\n", len(r.failures))
	for _, err := range r.failures[:min(len(r.failures), 5)] {
		_, _ = fmt.Fprintln(w, " ", err)
	}
}

func printRow(w io.Writer, title string, sorted []time.Duration) {
	_, _ = fmt.Fprintf(w, "%-20s %10d %10v %10v %10v\n", title, len(sorted), at(sorted, 0.5), at(sorted, 0.99), at(sorted, 1))
}

// ratio compares calls during a reload with the others.
func (r *result) ratio(part float64) string {
	if len(r.without) == 0 || len(r.during) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f", float64(at(r.during, part))/float64(at(r.without, part)))
}

// at returns the time that a part of the calls did not exceed.
func at(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(part*float64(len(sorted)-1))].Round(10 * time.Microsecond)
}
