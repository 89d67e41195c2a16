package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// report is what was done and found, by one trial so far or by all.
type report struct {
	Lives    uint64            `json:"lives"` // hosts that were started and closed
	Calls    uint64            `json:"calls"`
	Runs     uint64            `json:"runs"`     // of functions, as the code under test has noted
	Outcomes map[string]uint64 `json:"outcomes"` // calls by code, "ok" for answers
	Faults   map[string]uint64 `json:"faults"`
	Skipped  map[string]string `json:"skipped"` // faults that can't be injected here, and why
	Hosts    map[string]uint64 `json:"hosts"`   // what the hosts have counted, at their end

	Violations []violation `json:"violations"`
}

// violation is something that must never be.
type violation struct {
	Seed  uint64   `json:"seed"` // of its trial
	Life  int      `json:"life"` // which of the trial's, from 0
	What  string   `json:"what"`
	Where string   `json:"where"` // options, and what else helps
	Log   []string `json:"log"`   // what happened before: faults, and what the host has logged
}

func newReport() report {
	return report{
		Outcomes: make(map[string]uint64), Faults: make(map[string]uint64), Skipped: make(map[string]string),
		Hosts: make(map[string]uint64),
	}
}

func (r *report) add(other report) {
	r.Lives += other.Lives
	r.Calls += other.Calls
	r.Runs += other.Runs
	addCounts(r.Outcomes, other.Outcomes)
	addCounts(r.Faults, other.Faults)
	addCounts(r.Hosts, other.Hosts)
	maps.Copy(r.Skipped, other.Skipped)
	r.Violations = append(r.Violations, other.Violations...)
}

func addCounts(sum, counts map[string]uint64) {
	for name, n := range counts {
		sum[name] += n
	}
}

func (r *report) faults() (sum uint64) {
	for _, n := range r.Faults {
		sum += n
	}
	return sum
}

// print writes the table.
func (r *report) print(w io.Writer) {
	for _, v := range r.Violations {
		v.print(w)
	}
	printCounts(w, "faults injected", r.Faults)
	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		_, _ = fmt.Fprintf(w, "  %-28s skipped: %s\n", name, r.Skipped[name])
	}
	printCounts(w, "calls by outcome", r.Outcomes)
	printCounts(w, "counted by the hosts", r.Hosts)
	_, _ = fmt.Fprintf(w, "\nhosts %d, faults %d, calls %d, runs %d, violations %d\n", r.Lives, r.faults(), r.Calls, r.Runs, len(r.Violations))
}

func printCounts(w io.Writer, title string, counts map[string]uint64) {
	_, _ = fmt.Fprintf(w, "\n%s\n", title)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		_, _ = fmt.Fprintf(w, "  %-28s %10d\n", name, counts[name])
	}
}

func (v violation) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\nVIOLATION in the trial with the seed %d, host %d: %s\n", v.Seed, v.Life, v.What)
	_, _ = fmt.Fprintf(w, "  %s\n  before it:\n    %s\n", v.Where, strings.Join(v.Log, "\n    "))
}
