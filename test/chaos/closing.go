package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"rootbridge"
)

// closeIn closes the host somewhere in a storm, which goes on.
func (l *life) closeIn(s storm) {
	var storming sync.WaitGroup
	storming.Go(func() { l.endure(s) })
	time.Sleep(time.Duration(l.random(0).IntN(int(2 * time.Second))))
	l.excuses.give([]rootbridge.Code{rootbridge.CodeClosed})
	l.note("%s", l.plan.ending)
	l.closing.Store(true)
	l.close()
	if err := l.do(&call{method: "echo", must: rootbridge.CodeClosed}); err == nil {
		l.violate("a closed host has answered")
	}
	storming.Wait()
}

// close ends the host as planned, and looks how long that takes.
func (l *life) close() {
	began := time.Now()
	allowed := l.plan.options.DrainTimeout
	switch l.plan.ending {
	case byMany:
		var closers sync.WaitGroup
		for range 4 {
			closers.Go(func() { l.checkClosed(l.host.Close()) })
		}
		closers.Wait()
	case byShutdown:
		allowed = 200 * time.Millisecond
		ctx, cancel := context.WithTimeout(context.Background(), allowed)
		l.checkClosed(l.host.Shutdown(ctx))
		cancel()
	case byClose:
		l.checkClosed(l.host.Close())
	}
	if took := time.Since(began); took > allowed+closeBound {
		l.violate("%s took %v, at most %v are allowed", l.plan.ending, took, allowed+closeBound)
	}
}

// checkClosed looks at what Close returned, and what the host says of itself.
func (l *life) checkClosed(err error) {
	if err != nil && !errors.Is(err, rootbridge.CodeDeadlineExceeded) {
		l.violate("%s returned %v", l.plan.ending, err)
	}
	if ready, live := l.host.Ready(), l.host.Live(); !errors.Is(ready, rootbridge.CodeClosed) || !errors.Is(live, rootbridge.CodeClosed) {
		l.violate("a closed host says that it is ready: %v, and live: %v", ready, live)
	}
}
