package main

import (
	"slices"
	"sync"
	"time"

	"rootbridge"
)

// excuses knows which errors calls may end with because of a fault. A fault's excuse begins just before it is injected, and
// ends when the pool has recovered.
//
// Law: mu guards all fields.
type excuses struct {
	mu      sync.Mutex
	current []excuse
	earlier []excuse // of the storm before, for calls that began in it
}

type excuse struct {
	codes []rootbridge.Code
	from  time.Time
	until time.Time // zero while it lasts
}

// give excuses errors of these codes from now on.
func (e *excuses) give(codes []rootbridge.Code) {
	if len(codes) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current = append(e.current, excuse{codes: codes, from: time.Now()})
}

// end excuses no error of a call that begins later.
func (e *excuses) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for i := range e.current {
		e.current[i].until = now
	}
	e.earlier, e.current = e.current, nil
}

// cover tells whether a call that ran from began to ended may have ended with this code.
func (e *excuses) cover(code rootbridge.Code, began, ended time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	covers := func(x excuse) bool {
		return slices.Contains(x.codes, code) && !x.from.After(ended) && (x.until.IsZero() || !x.until.Before(began))
	}
	return slices.ContainsFunc(e.current, covers) || slices.ContainsFunc(e.earlier, covers)
}
