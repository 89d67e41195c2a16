package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"time"
)

// idle is what Rootbridge uses while nothing is to be done.
type idle struct {
	Seconds    float64 `json:"seconds"`
	GoCPU      float64 `json:"goCPU"`    // of one core, 1 for all of it
	NodeCPU    float64 `json:"nodeCPU"`  // likewise
	GoMemory   uint64  `json:"goMemory"` // resident at the peak, in bytes, and before the host had started
	GoBefore   uint64  `json:"goBefore"`
	NodeMemory uint64  `json:"nodeMemory"` // of the one worker
}

// idleInChild measures in a process that has done nothing else.
func idleInChild(ctx context.Context, duration time.Duration) (idle, error) {
	cmd := exec.CommandContext(ctx, os.Args[0], "idle", duration.String())
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return idle{}, err
	}
	var found idle
	err = json.Unmarshal(text, &found)
	return found, err
}

func measureIdle(ctx context.Context, duration time.Duration) (idle, error) {
	before, err := usageOf(nil)
	if err != nil {
		return idle{}, err
	}
	c, err := startRootbridge(defaults)(ctx, 16)
	if err != nil {
		return idle{}, err
	}
	defer func() { _ = c.Close() }()
	time.Sleep(time.Second) // what a start leaves to be done
	start, err := usageOf(c.PIDs())
	if err != nil {
		return idle{}, err
	}
	time.Sleep(duration)
	end, err := usageOf(c.PIDs())
	share := func(d time.Duration) float64 { return d.Seconds() / duration.Seconds() }
	return idle{
		Seconds: duration.Seconds(), GoCPU: share(end.goCPU - start.goCPU), NodeCPU: share(end.nodeCPU - start.nodeCPU),
		GoMemory: end.goPeak, GoBefore: before.goPeak, NodeMemory: end.nodePeak,
	}, err
}
