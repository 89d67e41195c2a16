package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func printTables(w io.Writer, r results) error {
	if _, err := io.WriteString(w, tables(r)); err != nil {
		return fmt.Errorf("expected to print the figures: %w; with --out they are kept in a file", err)
	}
	return nil
}

// tables show medians.
func tables(r results) string {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	printCells(t, r.Cells)
	if r.Plan.Cold > 0 && len(r.Cold) > 0 {
		fmt.Fprint(t, "\ncold start\tms\tleast\tmost\t\n")
	}
	for _, c := range r.Cold {
		if len(c.Millis) > 0 {
			fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.1f\t\n", c.Contender, medianOf(c.Millis), slices.Min(c.Millis), slices.Max(c.Millis))
		}
	}
	if i := r.Idle; i.Seconds > 0 {
		fmt.Fprintf(t, "\nidle for %.0f s after %d calls: Go %.3f %% and Node %.3f %% of a core; Go %.1f MB, %.1f before the host started; Node %.1f MB, %.1f when it was ready\n",
			i.Seconds, i.Calls, i.GoCPU*100, i.NodeCPU*100, float64(i.GoMemory)/1e6, float64(i.GoBefore)/1e6, float64(i.NodeMemory)/1e6, float64(i.NodeReady)/1e6)
	}
	_ = t.Flush() // memory takes all
	return text.String()
}

// printCells has a line for each.
func printCells(t io.Writer, cells []cell) {
	last := ""
	for _, name := range cellGroups(cells) {
		for _, c := range cells {
			if group := groupOf(c); group != name {
				continue
			} else if group != last {
				fmt.Fprintf(t, "\n%s\tcalls/s\trootbridge's\tp50 us\tp99 us\tp99.9\tGo us\tNode us\tallocs\tGo MB\tNode MB\t\n", group)
				last = group
			}
			m := func(get func(figures) float64) float64 { return median(c.Rounds, get) }
			fmt.Fprintf(t, "%s\t%.0f\t%s\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.1f\t%.0f\t%.0f\t\n", c.Contender,
				m(rateOf), advantage(cells, c), m(func(f figures) float64 { return f.P50 }),
				m(func(f figures) float64 { return f.P99 }), m(func(f figures) float64 { return f.P999 }),
				m(func(f figures) float64 { return f.GoCPU }), m(func(f figures) float64 { return f.NodeCPU }),
				m(func(f figures) float64 { return f.Allocs }), m(func(f figures) float64 { return float64(f.GoPeak) / 1e6 }),
				m(func(f figures) float64 { return float64(f.NodePeak) / 1e6 }))
		}
	}
}

// advantage is how many times a contender's calls Rootbridge makes, where both were measured.
func advantage(cells []cell, c cell) string {
	own := roundsOf(cells, ownName, c.Work, c.Callers)
	if c.Contender == ownName || len(own) == 0 || len(own) != len(c.Rounds) {
		return ""
	}
	return fmt.Sprintf("%.2f x", medianShare(own, c.Rounds, rateOf))
}

func cellGroups(cells []cell) []string {
	var groups []string
	for _, c := range cells {
		if group := groupOf(c); !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}

func groupOf(c cell) string { return c.Work + ", " + callersText(c.Callers) }

func callersText(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return strconv.Itoa(n) + " callers"
}

func median(rounds []figures, get func(figures) float64) float64 {
	values := make([]float64, len(rounds))
	for i, f := range rounds {
		values[i] = get(f)
	}
	return medianOf(values)
}

func medianOf(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	if len(values) == 0 {
		return 0
	}
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
