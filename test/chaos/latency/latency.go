// Package latency prints how long calls took.
package latency

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Sample is how long each of some calls took.
type Sample []time.Duration

// Sort must come before anything else.
func (s Sample) Sort() { slices.Sort(s) }

// At returns the time that a part of the calls did not exceed: 0.5 of them, or 1.
func (s Sample) At(part float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	took := s[int(part*float64(len(s)-1))]
	if took < 100*time.Microsecond {
		return took.Round(10 * time.Nanosecond)
	}
	return took.Round(10 * time.Microsecond)
}

// Over returns by how much a part of these calls took longer than that part of the others.
func (s Sample) Over(other Sample, part float64) string {
	if len(s) == 0 || len(other) == 0 || other.At(part) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f", float64(s.At(part))/float64(other.At(part)))
}

// PrintHead prints what PrintRow and PrintRatio print below.
func PrintHead(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%-24s %10s %10s %10s %10s\n", "latency", "calls", "p50", "p99", "max")
}

// PrintRow prints one line of the table.
func (s Sample) PrintRow(w io.Writer, title string) {
	_, _ = fmt.Fprintf(w, "%-24s %10d %10v %10v %10v\n", title, len(s), s.At(0.5), s.At(0.99), s.At(1))
}

// PrintRatio prints a line that compares two others.
func (s Sample) PrintRatio(w io.Writer, other Sample) {
	_, _ = fmt.Fprintf(w, "%-24s %10s %10s %10s %10s\n", "ratio", "", s.Over(other, 0.5), s.Over(other, 0.99), s.Over(other, 1))
}
