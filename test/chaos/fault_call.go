package main

import (
	"math/rand/v2"
	"sync"
	"time"

	"rootbridge"
)

// exitInCall ends a worker by process.exit.
func exitInCall(l *life, random *rand.Rand) error {
	c := &call{method: "exit", request: request{Size: random.IntN(3)}, must: rootbridge.CodeWorkerCrashed}
	_ = l.do(c)
	return l.doomIfSent(c, "it was told to exit")
}

// doomIfSent says that the worker which ran a call must be gone. It fails when the call ran nowhere.
func (l *life) doomIfSent(c *call, why string) error {
	if c.reply.WorkerPID == 0 {
		return errNoWorker
	}
	l.doom(c.reply.WorkerPID, why)
	return nil
}

// dieLater ends a worker by an error that nothing catches, some time after the call's answer.
func dieLater(method string) func(*life, *rand.Rand) error {
	return func(l *life, random *rand.Rand) error {
		c := &call{method: method, request: request{MS: random.IntN(50)}}
		_ = l.do(c)
		return l.doomIfSent(c, "it was told to die")
	}
}

// fillHeap lets Node die of --max-old-space-size.
func fillHeap(l *life, _ *rand.Rand) error {
	c := &call{method: "fillHeap", must: rootbridge.CodeWorkerCrashed}
	_ = l.do(c)
	return l.doomIfSent(c, "its heap was filled")
}

// fillMemory takes memory outside of the heap: so much that the worker is replaced, or so much that it is killed.
func fillMemory(bytes int, allowed ...rootbridge.Code) func(*life, *rand.Rand) error {
	return func(l *life, _ *rand.Rand) error {
		c := &call{method: "fillMemory", request: request{Size: bytes}, allowed: allowed}
		_ = l.do(c)
		return l.doomIfSent(c, "it was told to use too much memory")
	}
}

// loop blocks a worker for good. Its caller waits for a shorter time than the worker gets.
func loop(l *life, random *rand.Rand) error {
	c := &call{
		method: "loop", timeout: time.Duration(1+random.IntN(500)) * time.Millisecond,
		allowed: []rootbridge.Code{rootbridge.CodeDeadlineExceeded}, must: rootbridge.CodeDeadlineExceeded,
	}
	_ = l.do(c)
	return l.doomIfSent(c, "it was told to loop")
}

// block blocks a worker for less time than it may be blocked.
func block(l *life, random *rand.Rand) error {
	return l.do(&call{method: "block", request: request{MS: random.IntN(300)}})
}

// never makes a call that its worker does not end.
func never(l *life, random *rand.Rand) error {
	c := &call{
		method: "never", timeout: time.Duration(1+random.IntN(200)) * time.Millisecond, must: rootbridge.CodeDeadlineExceeded,
	}
	_ = l.do(c)
	return nil
}

// flood prints more than a slow logger takes.
func flood(l *life, random *rand.Rand) error {
	return l.do(&call{method: "print", request: request{Size: random.IntN(1500)}})
}

// deafen lets a worker close its stdin, and whatever else it reads from.
func deafen(l *life, _ *rand.Rand) error {
	c := &call{method: "deafen", allowed: []rootbridge.Code{rootbridge.CodeWorkerCrashed, rootbridge.CodeProtocolError}}
	_ = l.do(c)
	return l.doomIfSent(c, "it has closed its stdin")
}

// leave lets a worker start a process that must not outlive it: in its group, or detached and deaf to SIGTERM.
func leave(l *life, random *rand.Rand) error {
	return l.do(&call{method: "leave", request: request{Size: random.IntN(2)}})
}

// burst makes more calls at a time than may wait.
func burst(l *life, random *rand.Rand) error {
	l.together(queueLimit+100+random.IntN(200), func() *call {
		return &call{method: "wait", request: request{MS: 20}, allowed: []rootbridge.Code{rootbridge.CodeOverloaded}}
	})
	return nil
}

// clog stops a worker and sends large arguments meanwhile: more than may be in flight.
func clog(l *life, random *rand.Rand) error {
	pid, err := l.anyWorker(random)
	if err == nil {
		err = send(pid, sigStop)
	}
	if err != nil {
		return err
	}
	l.together(20, func() *call {
		c := &call{
			method: "echo", request: request{Text: text(random, maxPayload-1000)}, timeout: 2 * time.Second,
			allowed: []rootbridge.Code{rootbridge.CodeDeadlineExceeded, rootbridge.CodeOverloaded},
		}
		return c
	})
	_ = send(pid, sigContinue) // it may be gone
	return nil
}

// hurryMany makes calls that may or may not be done in time.
func hurryMany(l *life, random *rand.Rand) error {
	l.together(30, func() *call { return hurried(random) })
	return nil
}

// cancelMany makes calls whose callers go away.
func cancelMany(l *life, random *rand.Rand) error {
	l.together(30, func() *call { return cancelled(random) })
	return nil
}

// together makes calls at a time, and returns when all have ended. They are drawn in order, for the seed's sake.
func (l *life) together(n int, draw func() *call) {
	var calling sync.WaitGroup
	for range n {
		c := draw()
		calling.Go(func() { _ = l.do(c) })
	}
	calling.Wait()
}

// lull lets the callers rest, so that workers are idle.
func lull(l *life, random *rand.Rand) error {
	l.lull.Add(1)
	defer l.lull.Add(-1)
	time.Sleep(time.Duration(300+random.IntN(500)) * time.Millisecond)
	return nil
}
