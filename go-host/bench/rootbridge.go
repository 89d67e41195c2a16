package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"

	"rootbridge"
)

// bridge is Rootbridge with default options, but for Workers and Concurrency and what a variant changes. Bytes are read into
// the caller's memory of the call before.
type bridge struct {
	freshBridge
	answers []bytes.Buffer // a caller's own
}

func startRootbridge(variant func(*rootbridge.Options)) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, callers int) (contender, error) {
		host, err := startHost(ctx, callers, variant)
		return newBridge(host, callers), err
	}
}

func newBridge(host *rootbridge.Host, callers int) *bridge {
	return &bridge{freshBridge{host}, make([]bytes.Buffer, callers)}
}

// freshBridge gives all results memory of their own.
type freshBridge struct{ *rootbridge.Host }

func startFreshRootbridge(ctx context.Context, callers int) (contender, error) {
	host, err := startHost(ctx, callers, defaults)
	return &freshBridge{host}, err
}

// tracedBridge gives each call a trace id of its own, as middleware does that takes it from a request.
type tracedBridge struct {
	*bridge
	ids traceIDs
}

// traceIDs has how many each caller has made.
type traceIDs []uint64

func (t traceIDs) next(caller int) string {
	t[caller]++
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(caller))
	binary.BigEndian.PutUint64(id[8:], t[caller])
	return hex.EncodeToString(id[:])
}

func startTracedRootbridge(ctx context.Context, callers int) (contender, error) {
	host, err := startHost(ctx, callers, defaults)
	return &tracedBridge{newBridge(host, callers), make(traceIDs, callers)}, err
}

func startHost(ctx context.Context, callers int, variant func(*rootbridge.Options)) (*rootbridge.Host, error) {
	options := rootbridge.Options{
		Entry: built("work.cjs"), Workers: 1, Concurrency: callers,
		Logger: slog.New(slog.DiscardHandler),
	}
	variant(&options)
	return rootbridge.Start(ctx, options)
}

func defaults(*rootbridge.Options) {}

func withoutPolling(o *rootbridge.Options) { o.BusyPoll = -1 }

func oneAtATime(o *rootbridge.Options) { o.Concurrency = 1 }

func withMsgPack(o *rootbridge.Options) { o.Codec = rootbridge.MsgPack }

func withWorkers(n int) func(*rootbridge.Options) {
	return func(o *rootbridge.Options) { o.Workers = n }
}

func withSonic(o *rootbridge.Options) {
	o.JSON = rootbridge.JSONLibrary{Marshal: sonicJSON.Marshal, Unmarshal: sonicJSON.Unmarshal}
}

func (b *bridge) Call(ctx context.Context, caller int, method string, in, out any) error {
	target, wantsBytes := out.(*[]byte)
	answer := &b.answers[caller]
	if !wantsBytes {
		*answer = bytes.Buffer{} // as roomFor does
		return b.freshBridge.Call(ctx, caller, method, in, out)
	}
	if payload, ok := in.([]byte); ok && !isRoomFor(answer.Cap(), len(payload)) {
		*answer = bytes.Buffer{}
	}
	answer.Reset()
	err := b.Host.Call(ctx, method, in, answer)
	*target = answer.Bytes()
	return err
}

func (b *freshBridge) Call(ctx context.Context, _ int, method string, in, out any) error {
	return b.Host.Call(ctx, method, in, out)
}

func (b *tracedBridge) Call(ctx context.Context, caller int, method string, in, out any) error {
	return b.bridge.Call(rootbridge.ContextWithTraceID(ctx, b.ids.next(caller)), caller, method, in, out)
}

func (b *freshBridge) PIDs() []int {
	workers := b.Stats().Workers
	pids := make([]int, 0, len(workers))
	for _, w := range workers {
		pids = append(pids, w.PID)
	}
	return pids
}
