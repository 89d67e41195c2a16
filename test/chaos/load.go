package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"rootbridge"
)

// callOn makes one call after the other until the host is closed.
func (l *life) callOn(random *rand.Rand) {
	for {
		for l.lull.Load() > 0 && !l.closing.Load() {
			time.Sleep(5 * time.Millisecond)
		}
		err := l.do(draw(random))
		if errors.Is(err, rootbridge.CodeClosed) && l.closing.Load() {
			return
		}
		time.Sleep(time.Duration(random.IntN(int(20 * time.Millisecond))))
	}
}

// do makes a call and judges how it ended. All calls of all kinds come through here.
func (l *life) do(c *call) error {
	c.ID = l.nextID.Add(1)
	c.floor = l.code.least()
	c.began = time.Now()
	ctx, cancel := c.context(l.plan.options.CallTimeout)
	defer cancel()
	l.flights.begin(c)
	a, err := l.send(ctx, c)
	c.ended = time.Now()
	l.flights.end(c)
	l.judge(c, a, err)
	return err
}

// send keeps a panic from taking the evidence along.
func (l *life) send(ctx context.Context, c *call) (a answer, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			l.violate("call %d of %q panicked: %v", c.ID, c.method, panicked)
		}
	}()
	return rootbridge.Func[request, answer](l.host, c.method, c.options()...)(ctx, c.request)
}

// flights knows the calls that have begun and not ended.
//
// Law: mu guards all fields.
type flights struct {
	mu    sync.Mutex
	calls map[*call]bool // true when it was reported
	begun uint64
}

func (f *flights) begin(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = make(map[*call]bool)
	}
	f.calls[c] = false
	f.begun++
}

func (f *flights) end(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, c)
}

// overdue returns the calls that should have returned by now, each of them once.
func (f *flights) overdue() []*call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []*call
	for c, reported := range f.calls {
		if !reported && time.Since(c.due) > callBound {
			f.calls[c] = true
			found = append(found, c)
		}
	}
	return found
}

// under tells how many calls have not ended.
func (f *flights) under() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}
