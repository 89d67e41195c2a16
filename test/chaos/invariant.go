package main

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"rootbridge"
)

const (
	// watchTime is how often the host's statistics are looked at, and how many times less often its processes.
	watchTime      = 15 * time.Millisecond
	processesEvery = 12
	// zombieBound is how long a worker that has ended may stay a zombie.
	zombieBound = 5 * time.Second
	// heapBound is how much this process may hold in memory: much more than maxInFlight, with its copies on the way.
	heapBound = 400 << 20
)

// watch looks at the host all the time, until the context ends.
func (l *life) watch(ctx context.Context) {
	ticker := time.NewTicker(watchTime)
	defer ticker.Stop()
	zombies := make(map[int]time.Time)
	var before rootbridge.Stats
	for i := 0; ; i++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := l.host.Stats()
		l.checkStats(now)
		l.checkProgress(before, now)
		before = now
		if i%processesEvery == 0 {
			l.checkProcesses(zombies)
			l.checkHeap()
			l.checkFlights()
		}
	}
}

// checkStats looks whether a snapshot is within all bounds, and its parts make the whole.
func (l *life) checkStats(s rootbridge.Stats) {
	count := map[string]int{}
	inFlight := 0
	for _, w := range s.Workers {
		count[w.State]++
		inFlight += w.InFlight
		l.verify(s, claim{w.InFlight <= l.plan.options.Concurrency, "a worker has more calls than it may"},
			claim{w.Generation >= 1 && w.Generation <= s.Generation, "a worker is of a generation that is not there yet"})
	}
	if inFlight == s.InFlight {
		l.evenAt = time.Now()
	}
	mostWaiting := queueLimit + l.mostWorkers()*l.plan.options.Concurrency // calls that their workers had not begun wait once more
	all := s.Starting + s.Ready + s.Suspect + s.Draining
	l.verify(s,
		claim{all <= l.mostWorkers(), fmt.Sprintf("there are %d workers, at most %d are allowed", all, l.mostWorkers())},
		claim{count["ready"] == s.Ready && count["suspect"] == s.Suspect && count["draining"] == s.Draining, "the workers have other states than their sums"},
		claim{inFlight <= s.InFlight, "the workers have more calls in flight than there are"},
		claim{time.Since(l.evenAt) < callBound, "calls of workers that are gone stay in flight"},
		claim{s.Queued <= mostWaiting, fmt.Sprintf("more than %d calls wait", mostWaiting)},
		claim{s.Bytes <= maxInFlight, fmt.Sprintf("arguments have more than %d bytes", maxInFlight)},
		claim{s.Wanted >= l.leastWorkers() && s.Wanted <= l.plan.options.Workers, "more or fewer workers are wanted than may be"},
		claim{min(s.Starting, s.InFlight, s.Queued, s.Bytes) >= 0, "something is below zero"},
	)
}

// claim is something that must hold of a snapshot.
type claim struct {
	holds     bool
	otherwise string
}

func (l *life) verify(s rootbridge.Stats, claims ...claim) {
	for _, c := range claims {
		if !c.holds {
			l.violate("%s: %+v", c.otherwise, s)
		}
	}
}

// mostWorkers is how many there may be at a time, whatever their state.
func (l *life) mostWorkers() int {
	o := l.plan.options
	draining := o.MaxDraining
	if draining == 0 {
		draining = o.Workers
	}
	return o.Workers + 1 + draining
}

// checkProgress looks whether totals only grow.
func (l *life) checkProgress(before, now rootbridge.Stats) {
	grows := now.Generation >= before.Generation && now.Succeeded >= before.Succeeded && now.Retried >= before.Retried &&
		now.Boots >= before.Boots && now.BootFailures >= before.BootFailures && now.Restarts >= before.Restarts &&
		now.LateReplies >= before.LateReplies && now.DroppedLogs >= before.DroppedLogs &&
		now.Reloads >= before.Reloads && now.FailedReloads >= before.FailedReloads
	for code, n := range before.Failed {
		grows = grows && now.Failed[code] >= n
	}
	l.verify(now, claim{grows, fmt.Sprintf("a total has shrunk since %+v", before)})
}

// checkProcesses asks the system how many workers there are.
func (l *life) checkProcesses(zombies map[int]time.Time) {
	workers, dead, err := children(l.mark)
	if err != nil {
		return // no descriptor is left, as a fault will have it
	}
	if len(workers) > l.mostWorkers() {
		l.violate("the system knows the workers %v, at most %d are allowed: %+v", workers, l.mostWorkers(), l.host.Stats())
	}
	for pid, since := range zombies {
		if !slices.Contains(dead, pid) {
			delete(zombies, pid)
		} else if time.Since(since) > zombieBound {
			l.violate("process %d has been a zombie for %v", pid, zombieBound)
			delete(zombies, pid)
		}
	}
	for _, pid := range dead {
		if _, known := zombies[pid]; !known {
			zombies[pid] = time.Now()
		}
	}
}

func (l *life) checkHeap() {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc <= heapBound {
		return
	}
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > heapBound {
		l.violate("the host's process holds %d MiB of memory, at most %d are allowed: %+v", memory.HeapAlloc>>20, heapBound>>20, l.host.Stats())
	}
}

// checkFlights looks for calls that do not return.
func (l *life) checkFlights() {
	for _, c := range l.flights.overdue() {
		l.violate("call %d of %q has not returned %v after its time: %+v\n%s", c.ID, c.method, callBound, l.host.Stats(), stacks())
	}
}

// checkTotals compares what the host has counted with what its callers have, when all calls have ended.
func (l *life) checkTotals() {
	s := l.host.Stats()
	l.mu.Lock()
	ended, retried := maps.Clone(l.ended), l.retried
	l.mu.Unlock()
	isSame := s.Succeeded == ended[""] && s.Retried == retried
	for _, code := range anyCode {
		isSame = isSame && s.Failed[code] == ended[code]
	}
	l.verify(s,
		claim{isSame, fmt.Sprintf("the callers count %v, and %d retries", ended, retried)},
		claim{s.Starting+s.Ready+s.Suspect+s.Draining+s.InFlight+s.Queued+s.Bytes == 0, "a closed host has something left"},
		claim{l.flights.under() == 0, "calls have not ended"},
	)
	l.trial.counted(s)
}
