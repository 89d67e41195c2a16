package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// plan says what is measured.
type plan struct {
	Rounds   int              `json:"rounds"`
	Anew     bool             `json:"anew"`     // each round in processes of its own
	Duration time.Duration    `json:"duration"` // of each measurement
	Cold     int              `json:"cold"`     // starts of each contender
	Idle     time.Duration    `json:"idle"`
	Works    map[int][]string `json:"works"` // by the number of callers

	contenders map[int][]string // by the number of callers; all where there is no list
}

// goalWorks have goals (node/goals.ts) for their rates or latencies, by the number of callers.
var goalWorks = map[int][]string{
	1:   {"echo-100B", "echo-2KB"},
	16:  {"echo-100B", "echo-2KB", "echo-1MiB"},
	64:  {"echo-100B", "echo-2KB", "blob-64KiB", "bytes-100B", "bytes-2KB", "bytes-1MiB", "passed-2KB"},
	256: {"echo-100B", "echo-2KB"},
}

// callerCounts are in the order in which they are measured.
func (p plan) callerCounts() []int {
	return slices.Sorted(maps.Keys(p.Works))
}

// choose leaves the works of these names, and these numbers of callers, or all numbers where none is given.
func (p plan) choose(callers []int, names []string) error {
	counts := p.callerCounts()
	for _, n := range callers {
		if !slices.Contains(counts, n) {
			return fmt.Errorf("--callers: expected numbers of %v, got %d", counts, n)
		}
	}
	for _, n := range counts {
		if len(callers) > 0 && !slices.Contains(callers, n) {
			delete(p.Works, n)
			continue
		}
		p.Works[n] = slices.DeleteFunc(slices.Clone(p.Works[n]), func(name string) bool { return !slices.Contains(names, name) })
	}
	return nil
}

// quick takes about five minutes.
func quick() plan {
	return plan{Rounds: 3, Duration: 100 * time.Millisecond, Cold: 5, Idle: 5 * time.Second, Works: map[int][]string{
		1:   {"echo-100B", "echo-2KB", "echo-1MiB", "bytes-100B"},
		16:  {"echo-2KB", "validate", "render", "heavy"},
		64:  goalWorks[64],
		256: {"echo-100B"},
	}}
}

// goals takes about 35 minutes: processes of a contender differ by more than its rounds, so each round has processes of its own.
func goals() plan {
	return plan{
		Rounds: 10, Anew: true, Duration: 500 * time.Millisecond,
		Works: maps.Clone(goalWorks),
		contenders: map[int][]string{
			1:  {"rootbridge", "rootbridge-waits", "rootbridge-traced", "bare-json", "bare-json-polls", "ndjson", "node-http", "grpc"},
			16: {"rootbridge", "rootbridge-msgpack", "ndjson", "node-http", "grpc"},
			64: {
				"rootbridge", "rootbridge-waits", "rootbridge-traced", "rootbridge-serial", "rootbridge-fresh",
				"rootbridge-sonic", "rootbridge-msgpack", "bare", "bare-fresh", "bare-call",
				"bare-json", "bare-json-steps", "bare-json-traced", "bare-json-v1", "bare-json-sonic", "ndjson", "ndjson-v1", "ndjson-sonic",
				"node-http", "node-http-v1", "node-http-sonic", "grpc", "grpc-v1", "grpc-sonic",
			},
			256: {"rootbridge", "ndjson", "node-http", "grpc"},
		},
	}
}

// full takes about 50 minutes. What takes long by itself is left out where very many would wait for it.
func full() plan {
	all, light := make([]string, 0, len(works)), make([]string, 0, len(works))
	for _, w := range works {
		all = append(all, w.name)
		if w.name != "echo-1MiB" && w.name != "heavy" {
			light = append(light, w.name)
		}
	}
	return plan{
		Rounds: 5, Duration: 500 * time.Millisecond, Cold: 20, Idle: 30 * time.Second,
		Works: map[int][]string{1: all, 4: {"echo-100B", "echo-2KB"}, 16: all, 64: light, 256: light},
	}
}
