package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"rootbridge"
)

// use is what this process uses at one moment.
type use struct {
	rss        int64 // bytes
	files      int64 // descriptors
	goroutines int64
}

// usage is what it has used from the beginning to the end.
type usage []use

// look asks the system.
func look() (use, error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return use{}, err
	}
	var size, resident int64
	if _, err := fmt.Fscan(bytes.NewReader(statm), &size, &resident); err != nil {
		return use{}, err
	}
	files, err := os.ReadDir("/proc/self/fd")
	return use{resident * int64(os.Getpagesize()), int64(len(files)), int64(runtime.NumGoroutine())}, err
}

func printHeader(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%10s %8s %9s %12s %11s %9s %8s\n", "calls", "time", "RSS MiB", "descriptors", "goroutines", "workers", "reloads")
}

func (u use) print(w io.Writer, calls int64, since time.Duration, stats rootbridge.Stats) {
	_, _ = fmt.Fprintf(w, "%10d %7.0fs %9.1f %12d %11d %9d %8d\n",
		calls, since.Seconds(), float64(u.rss)/(1<<20), u.files, u.goroutines, stats.Boots, stats.Reloads)
}

// isFlat compares the last third with the second: the first one is for caches, buffers and the collector to find their size.
// It returns an error for whatever was more than a tenth, and more than some room, above what it was.
func (u usage) isFlat(w io.Writer) error {
	return errors.Join(
		u.compare(w, "RSS in MiB", 1<<20, 8<<20, func(u use) int64 { return u.rss }),
		u.compare(w, "descriptors", 1, 8, func(u use) int64 { return u.files }),
		u.compare(w, "goroutines", 1, 8, func(u use) int64 { return u.goroutines }),
	)
}

func (u usage) compare(w io.Writer, what string, unit float64, room int64, of func(use) int64) error {
	third := len(u) / 3
	second, last := median(u[third:2*third], of), median(u[2*third:], of)
	verdict := "flat"
	most := max(second+second/10, second+room)
	if last > most {
		verdict = "NOT FLAT"
	}
	_, _ = fmt.Fprintf(w, "%-12s median of the second third %.1f, of the last third %.1f: %s\n", what, float64(second)/unit, float64(last)/unit, verdict)
	if last > most {
		return fmt.Errorf("%s grew from %.1f to %.1f, expected at most %.1f", what, float64(second)/unit, float64(last)/unit, float64(most)/unit)
	}
	return nil
}

func median(part usage, of func(use) int64) int64 {
	values := make([]int64, len(part))
	for i, u := range part {
		values[i] = of(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
