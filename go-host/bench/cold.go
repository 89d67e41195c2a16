package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	wire "rootbridge/internal/frame"
	"rootbridge/internal/process"
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
	// loneWorker is a worker that is started without a host, until it is ready.
	loneWorker = "a worker, ready"
	// readyWorker is Rootbridge from Start until its worker can be called.
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
		w = bytesOf("bytes", 1, 100)
	}
	v, out := w.values()[0], w.out()
	start := time.Now()
	c, err := m.start(ctx, 1)
	if err != nil {
		return err
	}
	took := time.Since(start)
	if err := c.Call(ctx, 0, w.method, v.in, out); err != nil {
		return errors.Join(err, c.Close())
	}
	if !isReady {
		took = time.Since(start)
	}
	return errors.Join(json.NewEncoder(os.Stdout).Encode(millis(took)), c.Close())
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// coldStarts has all contenders and Node without any of them start in turn.
func (s *session) coldStarts(ctx context.Context) ([]coldStart, error) {
	starts := []coldStart{{Contender: emptyNode}, {Contender: loadingNode}}
	if slices.Contains(s.names, ownName) {
		starts = append(starts, coldStart{Contender: loneWorker}, coldStart{Contender: readyWorker})
	}
	for _, name := range s.names {
		if m, err := makerOf(name); err == nil && m.starts {
			starts = append(starts, coldStart{Contender: name})
		}
	}
	fmt.Fprintf(s.steps, "%d starts of each\n", s.Cold)
	defer fmt.Fprint(s.progress, clearLine)
	for round := range s.Cold + 1 {
		fmt.Fprintf(s.progress, "\rcold starts, round %d of %d", round, s.Cold)
		for _, i := range rand.Perm(len(starts)) {
			took, err := coldOnce(ctx, starts[i].Contender)
			if err != nil {
				return nil, fmt.Errorf("cold start of %s: %w", starts[i].Contender, err)
			}
			if round > 0 { // the first has the system read all files, and Rootbridge keep what V8 has compiled
				starts[i].Millis = append(starts[i].Millis, took)
			}
		}
	}
	return starts, nil
}

func coldOnce(ctx context.Context, name string) (float64, error) {
	if script, ok := nodeScripts[name]; ok {
		start := time.Now()
		err := command(ctx, "node", "-e", script).Run()
		return millis(time.Since(start)), err
	}
	if name == loneWorker {
		return startWorker(ctx)
	}
	cmd := command(ctx, os.Args[0], "cold", name)
	cmd.Env = append(os.Environ(), variantVariable+"="+trivial)
	cmd.Stderr = os.Stderr
	interrupted(cmd)
	text, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var took float64
	err = json.Unmarshal(text, &took)
	return took, err
}

// startWorker says how many milliseconds it takes from a worker's exec until it is ready.
func startWorker(ctx context.Context) (float64, error) {
	args, code, err := process.WorkerArgs()
	if err != nil || code != nil {
		return 0, fmt.Errorf("expected a place for the worker's files: %w", err)
	}
	hello, err := json.Marshal(wire.HelloMessage{Protocol: wire.Version, MaxPayload: wire.MaxHello, Encodings: []string{"json", "raw"}})
	if err != nil {
		return 0, err
	}
	cmd := command(ctx, "node", append(args, filepath.Join("build", trivial, "work.cjs"))...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, err = in.Write(wire.Append(nil, wire.Hello, wire.JSON, 0, nil, hello))
	err = errors.Join(err, awaitReady(out))
	took := time.Since(start)
	return millis(took), errors.Join(err, in.Close(), cmd.Wait())
}

func awaitReady(out io.Reader) error {
	reader := wire.NewReader(out, wire.MaxHello)
	for {
		f, err := reader.Next()
		if err != nil || f.Kind == wire.Ready {
			return err
		}
	}
}
