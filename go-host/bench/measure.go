package main

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// figures are what one contender did with one work in one round.
type figures struct {
	PID      int     `json:"pid"` // of the process that measured
	Calls    int64   `json:"calls"`
	Rate     float64 `json:"rate"`     // calls per second
	P50      float64 `json:"p50"`      // of a call's time, in microseconds
	P99      float64 `json:"p99"`      // likewise
	P999     float64 `json:"p999"`     // likewise
	GoCPU    float64 `json:"goCPU"`    // of this process, in microseconds per call
	NodeCPU  float64 `json:"nodeCPU"`  // of the others, likewise
	Allocs   float64 `json:"allocs"`   // in Go, per call
	Reads    float64 `json:"reads"`    // system calls of this process that read, per call
	Writes   float64 `json:"writes"`   // likewise that write
	GoPeak   uint64  `json:"goPeak"`   // resident memory of this process, in bytes
	NodePeak uint64  `json:"nodePeak"` // of the others together; of the largest where each call has its own
}

// measure has so many callers do a work for a time, each one call after the other.
func measure(ctx context.Context, c contender, w *work, callers int, duration time.Duration) (figures, error) {
	m := &measurement{contender: c, work: w, times: make([]*hdrhistogram.Histogram, callers), last: make([]result, callers)}
	for i := range m.times {
		m.times[i] = hdrhistogram.New(1, 60_000_000_000, 2) // to 1 %, in 30 KB: they are in the memory that is measured
	}
	w.values()           // made before anything is measured
	debug.FreeOSMemory() // what the work before has left
	defer context.AfterFunc(ctx, func() { m.over.Store(true); m.late.Store(true) })()
	pids := c.PIDs()
	if err := resetPeaks(pids); err != nil {
		return figures{}, err
	}
	before, err := usageFrom(pids)
	if err != nil {
		return figures{}, err
	}
	start := time.Now()
	defer time.AfterFunc(duration, func() { m.over.Store(true) }).Stop()
	defer time.AfterFunc(longest*duration, func() { m.late.Store(true) }).Stop()
	if err := m.run(ctx, callers); err != nil {
		return figures{}, err
	}
	took := time.Since(start)
	after, err := usageUntil(pids)
	if err != nil {
		return figures{}, err
	}
	return m.figures(took, before, after), m.check()
}

// Where calls take long, each caller makes a few nevertheless, unless that takes too long.
const (
	leastCalls = 4
	longest    = 4 // as a multiple of a measurement's time
)

type measurement struct {
	contender
	work  *work
	times []*hdrhistogram.Histogram // of each caller, in nanoseconds
	last  []result                  // of each caller
	over  atomic.Bool
	late  atomic.Bool
}

// result is what came, and what was to come.
type result struct{ out, want any }

// run returns the first error.
func (m *measurement) run(ctx context.Context, callers int) error {
	errs := make(chan error, callers)
	var done sync.WaitGroup
	for caller := range callers {
		done.Go(func() { errs <- m.repeat(ctx, caller) })
	}
	done.Wait()
	for range callers {
		if err := <-errs; err != nil {
			return err
		}
	}
	return ctx.Err() // what was ended by it are no figures
}

func (m *measurement) repeat(ctx context.Context, caller int) error {
	for calls := 1; ; calls++ {
		v, out := m.work.value(caller, calls), m.work.out()
		start := time.Now()
		if err := m.Call(ctx, caller, m.work.method, v.in, out); err != nil {
			return err
		}
		_ = m.times[caller].RecordValue(time.Since(start).Nanoseconds())
		if m.over.Load() && (calls >= leastCalls || m.late.Load()) {
			m.last[caller] = result{out, v.want}
			return nil
		}
	}
}

// check looks at the last results, for which there is no time while time is measured.
func (m *measurement) check() error {
	for _, r := range m.last {
		if err := m.work.check(r.out, r.want); err != nil {
			return err
		}
	}
	return nil
}

func (m *measurement) figures(took time.Duration, before, after usage) figures {
	all := m.times[0]
	for _, times := range m.times[1:] {
		all.Merge(times)
	}
	calls := float64(all.TotalCount())
	perCall := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / calls }
	micro := func(quantile float64) float64 { return float64(all.ValueAtQuantile(quantile)) / 1e3 }
	return figures{
		PID: os.Getpid(), Calls: all.TotalCount(), Rate: calls / took.Seconds(), P50: micro(50), P99: micro(99), P999: micro(99.9),
		GoCPU: perCall(after.goCPU - before.goCPU), NodeCPU: perCall(after.nodeCPU - before.nodeCPU),
		Allocs: float64(after.allocs-before.allocs) / calls, Reads: float64(after.reads-before.reads) / calls,
		Writes: float64(after.writes-before.writes) / calls, GoPeak: after.goPeak, NodePeak: after.nodePeak,
	}
}
