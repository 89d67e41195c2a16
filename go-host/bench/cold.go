package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"
)

// coldStart is how long a contender takes from its start to its first answer, with a function that loads nothing; of readyWorker
// how long until it could be called.
type coldStart struct {
	Contender string    `json:"contender"`
	Millis    []float64 `json:"millis"`
}

const (
	// emptyNode is the limit of all that start Node, loadingNode that of a worker: it loads the modules of Node's that one needs.
	emptyNode   = "node -e 0"
	loadingNode = "node, a worker's modules"
	// readyWorker is Rootbridge, which tells when a worker is ready.
	readyWorker = ownName + ", ready"
	ownName     = "rootbridge"
)

var nodeScripts = map[string]string{
	emptyNode:   "0",
	loadingNode: "for (const name of ['async_hooks', 'net', 'perf_hooks', 'stream', 'v8']) require(name)",
}

// startCold measures in a process of its own, and says on stdout how many milliseconds it took.
func startCold(ctx context.Context, name string) error {
	isReady := name == readyWorker
	if isReady {
		name = ownName
	}
	m, err := makerOf(name)
	if err != nil {
		return err
	}
	w := works[0]
	if !m.can(w, 1) {
		w = bytesOf("bytes", 100)
	}
	out := w.out()
	start := time.Now()
	c, err := m.start(ctx, 1)
	if err != nil {
		return err
	}
	took := time.Since(start)
	if err := c.Call(ctx, 0, w.method, w.in, out); err != nil {
		return err
	}
	if !isReady {
		took = time.Since(start)
	}
	if err := json.NewEncoder(os.Stdout).Encode(millis(took)); err != nil {
		return err
	}
	return c.Close()
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// coldStarts has all contenders and Node without any of them start in turn.
func (s *session) coldStarts(ctx context.Context) ([]coldStart, error) {
	starts := []coldStart{{Contender: emptyNode}, {Contender: loadingNode}}
	if slices.Contains(s.names, ownName) {
		starts = append(starts, coldStart{Contender: readyWorker})
	}
	for _, name := range s.names {
		if m, err := makerOf(name); err == nil && m.starts {
			starts = append(starts, coldStart{Contender: name})
		}
	}
	for round := range s.Cold {
		fmt.Fprintf(s.progress, "\rcold starts, round %d of %d", round+1, s.Cold)
		for _, i := range rand.Perm(len(starts)) {
			took, err := coldOnce(ctx, starts[i].Contender)
			if err != nil {
				return nil, fmt.Errorf("cold start of %s: %w", starts[i].Contender, err)
			}
			starts[i].Millis = append(starts[i].Millis, took)
		}
	}
	_, err := io.WriteString(s.progress, clearLine)
	return starts, err
}

func coldOnce(ctx context.Context, name string) (float64, error) {
	if script, ok := nodeScripts[name]; ok {
		start := time.Now()
		err := exec.CommandContext(ctx, "node", "-e", script).Run()
		return millis(time.Since(start)), err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "cold", name)
	cmd.Env = append(os.Environ(), variantVariable+"=trivial")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var took float64
	err = json.Unmarshal(text, &took)
	return took, err
}
