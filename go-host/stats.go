package rootbridge

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats is a snapshot of a host. The numbers of calls are since Start.
type Stats struct {
	Ready    int // workers that take calls
	Draining int // workers that only finish theirs
	InFlight int // calls that workers run, abandoned ones too
	Queued   int // calls that wait for a worker

	Succeeded uint64          // calls that returned nil
	Failed    map[Code]uint64 // calls that returned an error, by code; codes without a call are absent

	LateReplies  uint64 // answers dropped because nobody waited for them any more, from the present workers
	DroppedLogs  uint64 // log lines dropped because the logger was slower than they came
	Boots        uint64 // workers that became ready
	BootFailures uint64 // workers that did not
	Restarts     uint64 // workers that were replaced after they had been ready

	Workers []WorkerStats
}

// WorkerStats is a snapshot of one worker.
type WorkerStats struct {
	PID       int
	Calls     uint64 // calls sent to it
	InFlight  int    // calls that somebody waits for
	Abandoned int    // calls that nobody waits for any more and that still run
}

// Stats returns a snapshot.
func (h *Host) Stats() Stats {
	shared := h.pool.Stats()
	stats := Stats{
		Ready: shared.Slots, Draining: shared.Draining, InFlight: shared.Users, Queued: shared.Queued,
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
