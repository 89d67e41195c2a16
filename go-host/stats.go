package rootbridge

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge/internal/pool"
	"rootbridge/internal/supervisor"
)

// Stats is a snapshot of a host: what workers and queue were like at one moment, and totals since Start. A call counts in
// InFlight or Queued until it has ended, and among the totals when it has returned.
type Stats struct {
	Generation int `json:"generation"` // of the code that new workers load, from 1; a reload adds 1
	Wanted     int `json:"wanted"`     // workers that should take calls, by load

	Starting int `json:"starting"`  // workers that load their code
	Ready    int `json:"ready"`     // workers that take calls
	Suspect  int `json:"suspect"`   // workers that take none until they show that their event loop turns
	Draining int `json:"draining"`  // workers that only finish theirs
	InFlight int `json:"in_flight"` // calls that workers run, abandoned ones too
	Queued   int `json:"queued"`    // calls that wait for a worker
	Bytes    int `json:"bytes"`     // of the arguments of both; see Options.MaxInFlight

	Succeeded uint64          `json:"succeeded"` // calls that returned nil
	Failed    map[Code]uint64 `json:"failed"`    // calls that returned an error, by code; codes without a call are absent
	Retried   uint64          `json:"retried"`   // calls that were run again on another worker; see Options.Idempotent

	LateReplies  uint64 `json:"late_replies"`  // answers dropped because nobody waited for them any more
	DroppedLogs  uint64 `json:"dropped_logs"`  // log lines dropped because the logger was slower than they came
	Boots        uint64 `json:"boots"`         // workers that became ready
	BootFailures uint64 `json:"boot_failures"` // workers that did not
	Restarts     uint64 `json:"restarts"`      // workers that were replaced after they had been ready

	// RestartsBy counts Restarts by their reason: crashed (by itself, or killed), goaway (it asked for it), signal (SIGUSR2
	// to the worker), abandoned (its slots held calls that nobody waited for), stopped (by a signal, without going on), overdue
	// (it had an invocation of a Lambda handler whose time was over), calls, lifetime, idle, memory (see Options.MaxCalls and
	// those after it), reload.
	RestartsBy map[string]uint64 `json:"restarts_by"`

	Reloads       uint64 `json:"reloads"`        // that succeeded
	FailedReloads uint64 `json:"failed_reloads"` // those that did not, or not in all workers; see Host.Reload

	Workers []WorkerStats `json:"workers"` // those that are ready, in the order in which they became so
}

// WorkerStats is a snapshot of one worker. What the worker itself tells, heap and event loop, is as of its last heartbeat
// and 0 before the first.
type WorkerStats struct {
	PID        int           `json:"pid"`   // of its process
	State      string        `json:"state"` // ready, suspect or draining
	Generation int           `json:"generation"`
	Age        time.Duration `json:"age"`       // since it became ready
	Calls      uint64        `json:"calls"`     // calls sent to it
	InFlight   int           `json:"in_flight"` // calls that it runs, abandoned ones too
	Abandoned  int           `json:"abandoned"` // calls that nobody waits for any more and that still run

	Utilization float64 `json:"utilization"` // of its event loop, 0 to 1, between the last two heartbeats
	Heap        int64   `json:"heap"`        // bytes that JavaScript values use
	HeapLimit   int64   `json:"heap_limit"`  // bytes of heap at which Node gives up
	External    int64   `json:"external"`    // bytes outside of the heap, such as Buffers
	RSS         int64   `json:"rss"`         // resident memory in bytes, on Linux as of now

	Inspector string `json:"inspector,omitempty"` // where a debugger can attach; see Options.Inspect
}

// Stats returns a snapshot.
func (h *Host) Stats() Stats {
	stats := Stats{
		Bytes:       h.budget.used(),
		Succeeded:   h.counters.succeeded.Load(),
		Retried:     h.counters.retried.Load(),
		DroppedLogs: h.logs.dropped.Load(),
	}
	h.counters.mu.Lock() // until the workers have been looked at: one that is forgotten leaves its count there
	defer h.counters.mu.Unlock()
	h.counters.fillLocked(&stats)
	var shared pool.Stats[*worker]
	now := h.supervisor.Snapshot(func() { shared = h.pool.Stats() })
	stats.Generation, stats.Wanted, stats.Starting = now.Generation, now.Wanted, now.Booting
	stats.count(now.Totals)
	stats.InFlight, stats.Queued = shared.Users, shared.Queued
	for _, slot := range shared.Slots {
		stats.add(slot)
	}
	return stats
}

func (s *Stats) count(t supervisor.Totals) {
	s.Boots, s.BootFailures = t.Boots, t.BootFailures
	s.Reloads, s.FailedReloads = t.Reloads, t.FailedReloads
	s.RestartsBy = make(map[string]uint64, len(t.Restarts))
	for reason, n := range t.Restarts {
		s.Restarts += n
		s.RestartsBy[string(reason)] = n
	}
}

func (s *Stats) add(slot pool.SlotStats[*worker]) {
	switch slot.State {
	case pool.Open:
		s.Ready++
	case pool.Paused:
		s.Suspect++
	case pool.Draining:
		s.Draining++
	}
	s.LateReplies += slot.Resource.conn.Late()
	s.Workers = append(s.Workers, slot.Resource.snapshot(slot))
}

func (w *worker) snapshot(slot pool.SlotStats[*worker]) WorkerStats {
	_, abandoned := w.conn.InFlight()
	told := w.told()
	return WorkerStats{
		PID: w.pid(), State: stateNames[slot.State], Generation: w.generation, Age: time.Since(w.since),
		Calls: w.calls.Load(), InFlight: slot.Users, Abandoned: abandoned,
		Utilization: w.utilization(), Heap: told.HeapUsed, HeapLimit: told.HeapLimit, External: told.External, RSS: w.rss(),
		Inspector: w.inspector,
	}
}

var stateNames = map[pool.State]string{pool.Open: "ready", pool.Paused: "suspect", pool.Draining: "draining"}

// counters counts outcomes. Successes, nearly all, are counted without the lock.
//
// Law: mu guards the fields below it.
type counters struct {
	succeeded atomic.Uint64
	retried   atomic.Uint64

	mu     sync.Mutex
	late   uint64 // of workers that have ended
	failed map[Code]uint64
}

func (c *counters) count(err *Error) {
	if err == nil {
		c.succeeded.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = make(map[Code]uint64)
	}
	c.failed[err.Code]++
}

// fillLocked copies what the lock guards.
func (c *counters) fillLocked(stats *Stats) {
	stats.LateReplies = c.late
	stats.Failed = make(map[Code]uint64, len(c.failed))
	maps.Copy(stats.Failed, c.failed)
}
