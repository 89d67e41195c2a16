package main

import (
	"context"
	"os/exec"

	"github.com/roadrunner-server/pool/ipc/pipe"
	"github.com/roadrunner-server/pool/payload"
	"github.com/roadrunner-server/pool/pool"
	staticpool "github.com/roadrunner-server/pool/pool/static_pool"
	"go.uber.org/zap"
)

// roadRunner is RoadRunner's own pool and goridge over pipes, with a worker in Node in place of PHP. A worker of its has one
// call at a time.
type roadRunner struct{ pool *staticpool.Pool }

func startRoadRunner(ctx context.Context, _ int) (contender, error) {
	command := func([]string) *exec.Cmd { return exec.CommandContext(ctx, "node", built("goridge.cjs")) }
	p, err := staticpool.NewPool(ctx, command, pipe.NewPipeFactory(zap.NewNop()), &pool.Config{NumWorkers: 1}, zap.NewNop())
	return &roadRunner{p}, err
}

func (r *roadRunner) Call(ctx context.Context, _ int, method string, in, out any) error {
	text, err := standardJSON.encode(in)
	if err != nil {
		return err
	}
	if isBytes(in) {
		method = "bytes"
	}
	answers, err := r.pool.Exec(ctx, &payload.Payload{Context: []byte(method), Body: text, Codec: 0x04}, nil)
	if err != nil {
		return err
	}
	answer := <-answers
	if answer.Error() != nil {
		return answer.Error()
	}
	return standardJSON.decode(answer.Body(), out)
}

func (r *roadRunner) PIDs() []int {
	workers := r.pool.Workers()
	pids := make([]int, 0, len(workers))
	for _, w := range workers {
		pids = append(pids, int(w.Pid()))
	}
	return pids
}

func (r *roadRunner) Close() error {
	r.pool.Destroy(context.Background())
	return nil
}
