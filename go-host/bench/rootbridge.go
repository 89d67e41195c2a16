package main

import (
	"context"
	"log/slog"

	"rootbridge"
)

// bridge is Rootbridge with default options, but for Workers and Concurrency and what a variant changes.
type bridge struct{ *rootbridge.Host }

func startRootbridge(variant func(*rootbridge.Options)) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, callers int) (contender, error) {
		options := rootbridge.Options{
			Entry: built("work.mjs"), Workers: 1, Concurrency: callers,
			Logger: slog.New(slog.DiscardHandler),
		}
		variant(&options)
		host, err := rootbridge.Start(ctx, options)
		return &bridge{host}, err
	}
}

func defaults(*rootbridge.Options) {}

func withoutPolling(o *rootbridge.Options) { o.BusyPoll = -1 }

func withMsgPack(o *rootbridge.Options) { o.Codec = rootbridge.MsgPack }

func withWorkers(n int) func(*rootbridge.Options) {
	return func(o *rootbridge.Options) { o.Workers = n }
}

func withSonic(o *rootbridge.Options) {
	o.JSON = rootbridge.JSONLibrary{Marshal: sonicJSON.Marshal, Unmarshal: sonicJSON.Unmarshal}
}

func (b *bridge) Call(ctx context.Context, _ int, method string, in, out any) error {
	return b.Host.Call(ctx, method, in, out)
}

func (b *bridge) PIDs() []int {
	workers := b.Stats().Workers
	pids := make([]int, 0, len(workers))
	for _, w := range workers {
		pids = append(pids, w.PID)
	}
	return pids
}
