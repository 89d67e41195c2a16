package rootbridge

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats is a snapshot of a host. The numbers of calls are since Start.
type Stats struct {
	Ready    int `json:"ready"`     // workers that take calls
	Suspect  int `json:"suspect"`   // workers that take none until they show that their event loop turns
	Draining int `json:"draining"`  // workers that only finish theirs
	InFlight int `json:"in_flight"` // calls that workers run, abandoned ones too
	Queued   int `json:"queued"`    // calls that wait for a worker

	Succeeded uint64          `json:"succeeded"` // calls that returned nil
	Failed    map[Code]uint64 `json:"failed"`    // calls that returned an error, by code; codes without a call are absent

	LateReplies  uint64 `json:"late_replies"`  // answers dropped because nobody waited for them any more, from the present workers
	DroppedLogs  uint64 `json:"dropped_logs"`  // log lines dropped because the logger was slower than they came
	Boots        uint64 `json:"boots"`         // workers that became ready
	BootFailures uint64 `json:"boot_failures"` // workers that did not
	Restarts     uint64 `json:"restarts"`      // workers that were replaced after they had been ready

	Workers []WorkerStats `json:"workers"`
}

// WorkerStats is a snapshot of one worker.
type WorkerStats struct {
	PID       int    `json:"pid"`
	Calls     uint64 `json:"calls"`     // calls sent to it
	InFlight  int    `json:"in_flight"` // calls that somebody waits for
	Abandoned int    `json:"abandoned"` // calls that nobody waits for any more and that still run
}

// Stats returns a snapshot.
func (h *Host) Stats() Stats {
	shared := h.pool.Stats()
	stats := Stats{
		Ready: shared.Slots, Suspect: shared.Paused, Draining: shared.Draining, InFlight: shared.Users, Queued: shared.Queued,
		Succeeded:    h.counters.succeeded.Load(),
		Failed:       h.counters.failures(),
		DroppedLogs:  h.logs.dropped.Load(),
		Boots:        h.counters.boots.Load(),
		BootFailures: h.counters.bootFailures.Load(),
		Restarts:     h.counters.restarts.Load(),
	}
	for _, w := range h.pool.Resources() {
		inFlight, abandoned := w.conn.InFlight()
		stats.LateReplies += w.conn.Late()
		stats.Workers = append(stats.Workers, WorkerStats{w.pid(), w.calls.Load(), inFlight, abandoned})
	}
	return stats
}

// counters counts outcomes. Successes, nearly all, are counted without the lock.
//
// Law: mu guards failed.
type counters struct {
	succeeded    atomic.Uint64
	boots        atomic.Uint64
	bootFailures atomic.Uint64
	restarts     atomic.Uint64

	mu     sync.Mutex
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

func (c *counters) failures() map[Code]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.failed)
}
