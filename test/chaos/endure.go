package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"rootbridge"
)

// endure injects one fault after the other, and returns when the last one has ended.
func (l *life) endure(s storm) {
	if s.weather == rough {
		l.code.loosen()
	}
	before := l.host.Stats()
	var injecting sync.WaitGroup
	for _, step := range s.steps {
		if l.trial.isOver() {
			break
		}
		time.Sleep(step.after)
		injecting.Go(func() { l.inject(step) })
	}
	injecting.Wait()
	if after := l.host.Stats(); s.startsAll() && l.plan.layout == linked && after.BootFailures != before.BootFailures {
		l.violate("workers did not start: %+v", after)
	}
}

// startsAll tells whether every worker that is started must become ready, if the code on the disk loads.
func (s *storm) startsAll() bool {
	return s.weather == gentle && s.count(func(f *fault) bool { return len(f.explains) > 0 }) == 0
}

func (l *life) inject(s step) {
	f := s.fault
	l.note("%s", f.name)
	l.excuses.give(f.explains)
	err := f.inject(l, newRandom(s.seed, 0))
	var unable *unableError
	switch {
	case errors.As(err, &unable):
		l.trial.skipped(f.name, unable.reason)
	case err != nil:
		l.note("%s was not injected: %v", f.name, err)
	default:
		l.trial.injected(f.name)
	}
}

// doom says that a worker must be gone when the pool has healed.
func (l *life) doom(pid int, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doomed[pid] = why
}

// heal returns when the pool is as good as new. From then on nothing excuses an error.
func (l *life) heal() {
	began := time.Now()
	for _, w := range l.host.Stats().Workers {
		if w.State == "draining" {
			l.doom(w.PID, "it was draining")
		}
	}
	l.catchUp()
	for missing := l.missing(); missing != ""; missing = l.missing() {
		if time.Since(began) > healBound {
			l.violate("the pool has not healed within %v: %s; %+v", healBound, missing, l.host.Stats())
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	l.excuses.end()
	l.note("healed within %v", time.Since(began).Round(time.Millisecond))
	time.Sleep(300 * time.Millisecond) // in which every call must end well
}

// catchUp loads new code when a fault has kept the last from being loaded: recycling waits for that.
func (l *life) catchUp() {
	if !l.code.isAhead() {
		return
	}
	l.note("new code again, which no fault keeps from being loaded")
	if err := deploy(l, nil); err != nil {
		l.violate("writing new code: %v", err)
	}
}

// missing says what keeps the pool from being as good as new.
func (l *life) missing() string {
	stats := l.host.Stats()
	if least := l.leastWorkers(); stats.Ready < least || stats.Suspect > 0 {
		return fmt.Sprintf("%d workers are ready, expected %d, and %d suspect, expected 0", stats.Ready, least, stats.Suspect)
	}
	if missing := l.undead(stats); missing != "" {
		return missing
	}
	if err := errors.Join(l.host.Ready(), l.host.Live()); err != nil {
		return err.Error()
	}
	if err := l.do(&call{method: "echo", timeout: 5 * time.Second, allowed: anyCode}); err != nil {
		return err.Error()
	}
	return ""
}

// undead names a worker that should be gone and is not.
func (l *life) undead(stats rootbridge.Stats) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid, why := range l.doomed {
		isThere := slices.ContainsFunc(stats.Workers, func(w rootbridge.WorkerStats) bool { return w.PID == pid })
		if isThere && !isGone(pid) {
			return fmt.Sprintf("worker %d is still there: %s", pid, why)
		}
		delete(l.doomed, pid)
	}
	return ""
}

// leastWorkers is how many must be ready when all is well.
func (l *life) leastWorkers() int {
	o := l.plan.options
	if o.MinWorkers == 0 {
		return o.Workers
	}
	return max(0, o.MinWorkers)
}

// renew loads new code after a storm in which workers have died: whatever they have loaded then, from now on each
// generation has one version again.
func (l *life) renew(s storm) {
	if s.weather == gentle {
		return
	}
	if err := deploy(l, nil); err != nil {
		l.violate("writing new code: %v", err)
	}
	if l.plan.isPinned() {
		l.code.tighten(l.host.Stats().Generation)
	}
}

// rest lets no call be made until all have ended, and looks whether the host knows of none either.
func (l *life) rest() {
	l.lull.Add(1)
	defer l.lull.Add(-1)
	began := time.Now()
	for !isIdle(l.host.Stats()) {
		if time.Since(began) > callBound {
			l.violate("nobody has called for %v, and the host is still busy: %+v", callBound, l.host.Stats())
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// isIdle tells whether a host runs nothing but calls that nobody waits for.
func isIdle(s rootbridge.Stats) bool {
	abandoned := 0
	for _, w := range s.Workers {
		abandoned += w.Abandoned
	}
	return s.Queued == 0 && s.InFlight == abandoned && (s.Bytes == 0 || abandoned > 0)
}
