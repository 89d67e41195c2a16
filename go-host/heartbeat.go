package rootbridge

import (
	"sync"
	"time"

	"rootbridge/internal/supervisor"
)

// sizeTime is how often a host without heartbeats looks how many workers it needs.
const sizeTime = 2 * time.Second

// beat asks each worker for a sign of life every Options.Heartbeat, and looks at what they told.
func (h *Host) beat() {
	if h.options.Inspect != "" {
		return
	}
	examine, interval := h.examine, h.options.Heartbeat
	if interval < 0 {
		examine, interval = func() { h.noteLoad(h.pool.TakePeak()) }, sizeTime
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			examine()
		case <-h.life.Done():
			return
		}
	}
}

// examine looks at every worker. Those that only finish their calls have just their memory to answer for.
func (h *Host) examine() {
	for _, slot := range h.pool.Stats().Slots {
		h.killIfUnbearable(slot.Resource)
	}
	utilization := 0.0
	for _, w := range h.supervisor.Snapshot(func() {}).Serving {
		utilization += w.lastingUtilization()
		w.process.ReapOrphans()
		h.recycleIfDue(w)
		w.ask()
	}
	h.noteUtilization(utilization)
}

// load turns what workers have to do into how many there should be.
//
// Law: mu guards demand.
type load struct {
	mu     sync.Mutex
	demand *supervisor.Demand
}

// busyLoop is the utilization of an event loop from which on another worker is worth its memory.
const busyLoop = 0.8

// noteLoad is called with the number of calls when one finds no free place.
func (h *Host) noteLoad(calls int) {
	concurrency := h.options.Concurrency
	h.need((calls + concurrency - 1) / concurrency)
}

// noteUtilization is called with the sum of what all event loops are busy, 0 to 1 each.
func (h *Host) noteUtilization(sum float64) {
	h.noteLoad(h.pool.TakePeak())
	if sum >= busyLoop {
		h.need(int(sum/busyLoop) + 1)
	}
}

// need says that so many workers are needed now.
func (h *Host) need(workers int) {
	if h.options.MinWorkers == h.options.Workers {
		return
	}
	h.load.mu.Lock()
	wanted := h.load.demand.Note(time.Now(), workers)
	h.load.mu.Unlock()
	h.supervisor.Scale(wanted)
}
