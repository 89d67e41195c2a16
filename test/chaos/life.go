package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge"
)

// The stated bounds. They are generous: a machine may be slow, but never for ever.
const (
	// callBound is how long after its time a call may still return.
	callBound = 10 * time.Second
	// healBound is within what time after the last fault the pool must be as good as new.
	healBound = 40 * time.Second
	// reloadBound is within what time a reload must have ended.
	reloadBound = 60 * time.Second
	// closeBound is how long Close may take beyond what its options or its context allow.
	closeBound = 20 * time.Second
	// startBound is within what time a host must have started, or not.
	startBound = 60 * time.Second
	// leaveBound is within what time after Close all traces must be gone.
	leaveBound = 5 * time.Second
)

// life is one host from its start to its end, and all that happens to it.
//
// Law: mu guards doomed, ended and retried; evenAt belongs to watch. All other fields are set before the first call, or
// guard themselves.
type life struct {
	trial   *trial
	number  int
	plan    plan
	dir     string
	mark    string
	code    *code
	ledger  *ledger
	journal *journal
	excuses excuses
	flights flights
	host    *rootbridge.Host
	nextID  atomic.Uint64
	lull    atomic.Int32 // while it is not 0 the callers rest
	closing atomic.Bool
	evenAt  time.Time // when calls in flight last were those of all workers

	mu      sync.Mutex
	doomed  map[int]string             // workers that must be gone when the pool has healed, and why
	ended   map[rootbridge.Code]uint64 // calls by outcome, "" for answers
	retried uint64                     // calls whose Reply says so
}

// newLife makes a folder for a life, and its code.
func newLife(t *trial, number int) (*life, error) {
	dir := filepath.Join(t.Dir, fmt.Sprintf("life-%d", number))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	p := newPlan(t.Seed, number, t.Scale)
	c, err := newCode(filepath.Join(dir, "code"), p.layout)
	if err == nil && p.start == spoiled {
		err = c.spoil(brokenTexts[0])
	}
	if !p.isPinned() {
		c.loosen()
	}
	return &life{
		trial: t, number: number, plan: p, dir: dir, mark: fmt.Sprintf("%s-%d.", t.Mark, number), code: c,
		ledger: newLedger(filepath.Join(dir, "ledger")), journal: &journal{began: time.Now(), slow: p.slowLog},
		doomed: make(map[int]string), ended: make(map[rootbridge.Code]uint64),
	}, err
}

// run lives the whole life.
func (l *life) run() {
	before, err := openFiles()
	if err != nil {
		l.violate("reading the open files: %v", err)
		return
	}
	if l.begin() {
		l.live()
	}
	l.checkLeft(before)
	l.checkLedger()
}

// begin starts the host as planned. It returns false when there is none, as planned.
func (l *life) begin() bool {
	ctx, cancel := context.WithTimeout(context.Background(), l.startTime())
	defer cancel()
	began := time.Now()
	host, err := rootbridge.Start(ctx, l.options())
	if took := time.Since(began); took > startBound {
		l.violate("Start took %v, at most %v are allowed", took, startBound)
	}
	l.host = host
	if err == nil {
		return l.plan.start != spoiled || l.mend()
	}
	var e *rootbridge.Error
	code := map[start]rootbridge.Code{hurry: rootbridge.CodeDeadlineExceeded, spoiled: rootbridge.CodeBootFailed}[l.plan.start]
	if !errors.As(err, &e) || e.Code != code {
		l.violate("a %s Start failed: %v", l.plan.start, err)
	}
	return false
}

// startTime is what Start is given.
func (l *life) startTime() time.Duration {
	if l.plan.start != hurry {
		return 2 * startBound
	}
	return time.Duration(1+l.random(0).IntN(150)) * time.Millisecond
}

// mend brings code that loads to a host that was started with code that does not, which is possible only with no worker.
func (l *life) mend() bool {
	if l.plan.options.MinWorkers >= 0 {
		l.violate("a host has started with code that does not load")
	}
	l.excuses.give(outage)
	l.code.deploying.Lock()
	defer l.code.deploying.Unlock()
	version, err := l.code.deploy()
	if err == nil {
		err = l.callReload()
	}
	if err != nil {
		l.violate("code that loads was not loaded: %v", err)
		return true
	}
	l.code.raise(version, l.host.Stats().Generation)
	return true
}

// options completes the plan's with what belongs to this life.
func (l *life) options() rootbridge.Options {
	o := l.plan.options
	o.Entry = l.code.entry()
	o.Logger = l.journal.logger()
	o.Node = l.trial.node()
	o.Env = []string{markVariable + "=" + l.mark, "CHAOS_LEDGER=" + l.ledger.path}
	return o
}

// live has the host called all the time, in all but calm weather, to its end.
func (l *life) live() {
	ctx, stopWatching := context.WithCancel(context.Background())
	var watching, calling sync.WaitGroup
	watching.Go(func() { l.watch(ctx) })
	for i := range l.plan.callers {
		calling.Go(func() { l.callOn(l.random(1 + i)) })
	}
	l.heal()
	for _, storm := range l.plan.episodes {
		if l.trial.isOver() {
			break
		}
		l.endure(storm)
		l.heal()
		l.renew(storm)
		l.rest()
	}
	l.closeIn(l.plan.last)
	calling.Wait()
	stopWatching()
	watching.Wait()
	l.checkTotals()
}

// violate reports what must never be.
func (l *life) violate(format string, args ...any) {
	l.trial.violated(violation{
		Seed: l.trial.Seed, Life: l.number, What: fmt.Sprintf(format, args...), Where: l.plan.describe(), Log: l.journal.last(),
	})
	l.note("VIOLATION: "+format, args...)
}

// note writes down what happens, also for whoever reads the trial's stderr.
func (l *life) note(format string, args ...any) { l.journal.note(os.Stderr, format, args...) }
