package main

import (
	"context"
	"encoding/json"
	"os"
	"time"
)

// idle is what Rootbridge uses while nothing is to be done, after it has been busy. Memory is resident at its peak, in bytes.
type idle struct {
	Seconds    float64 `json:"seconds"`
	Calls      int64   `json:"calls"`      // before
	GoCPU      float64 `json:"goCPU"`      // of one core, 1 for all of it
	NodeCPU    float64 `json:"nodeCPU"`    // likewise
	GoBefore   uint64  `json:"goBefore"`   // before the host had started
	GoMemory   uint64  `json:"goMemory"`   // since then
	NodeReady  uint64  `json:"nodeReady"`  // of the one worker that is ready
	NodeMemory uint64  `json:"nodeMemory"` // while it was idle
}

// idleInChild measures in a process that has done nothing else.
func idleInChild(ctx context.Context, duration time.Duration) (idle, error) {
	cmd := command(ctx, os.Args[0], "idle", duration.String())
	cmd.Stderr = os.Stderr
	interrupted(cmd)
	text, err := cmd.Output()
	if err != nil {
		return idle{}, err
	}
	var found idle
	err = json.Unmarshal(text, &found)
	return found, err
}

func measureIdle(ctx context.Context, duration time.Duration) (idle, error) {
	const callers = 16
	before, err := usageUntil(nil)
	if err != nil {
		return idle{}, err
	}
	c, err := startRootbridge(defaults)(ctx, callers)
	if err != nil {
		return idle{}, err
	}
	defer func() { _ = c.Close() }()
	ready, err := usageUntil(c.PIDs())
	if err != nil {
		return idle{}, err
	}
	found := idle{Seconds: duration.Seconds(), GoBefore: before.goPeak, GoMemory: ready.goPeak, NodeReady: ready.nodePeak}
	if err := found.work(ctx, c, callers); err != nil {
		return idle{}, err
	}
	if err := pause(ctx, time.Second); err != nil { // what work leaves to be done
		return idle{}, err
	}
	start, err := usageFrom(c.PIDs())
	if err != nil {
		return idle{}, err
	}
	if err := pause(ctx, duration); err != nil {
		return idle{}, err
	}
	end, err := usageUntil(c.PIDs())
	share := func(d time.Duration) float64 { return d.Seconds() / duration.Seconds() }
	found.GoCPU, found.NodeCPU, found.NodeMemory = share(end.goCPU-start.goCPU), share(end.nodeCPU-start.nodeCPU), end.nodePeak
	return found, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (i *idle) work(ctx context.Context, c contender, callers int) error {
	for _, w := range busyWorks(callers) {
		f, err := measure(ctx, c, w, callers, time.Second)
		if err != nil {
			return err
		}
		i.Calls += f.Calls
		i.GoMemory = max(i.GoMemory, f.GoPeak)
	}
	return nil
}

// busyWorks are of all kinds, with n values each: what they hold, and what Go leaves to garbage beside it, would count as the host's.
func busyWorks(n int) []*work {
	return []*work{
		typed("echo-100B", "echo", n, newSmall, newSmall),
		typed("echo-2KB", "echo", n, newEvent, newEvent),
		bytesOf("bytes-2KB", n, 2_000),
		passed("passed-2KB", n, newEvent),
	}
}
