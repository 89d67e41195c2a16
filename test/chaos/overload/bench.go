package main

import (
	"chaos/latency"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"rootbridge"
)

const (
	workers     = 2
	concurrency = 8
	queueLimit  = 16
	// room is how many calls run and wait, when all have come.
	room = workers*concurrency + queueLimit
	// pause is how long a refused caller waits before it tries again.
	pause = 5 * time.Millisecond
)

// source waits as for a database: what the machine's cores can do is not the limit.
const source = `export const work = (n) => new Promise((resolve) => setTimeout(resolve, 5, n));`

// bench is one measurement.
//
// Law: mu guards what is below it.
type bench struct {
	rounds int
	extra  int
	round  time.Duration
	host   *rootbridge.Host

	mu       sync.Mutex
	alone    latency.Sample // accepted calls when no others come
	beside   latency.Sample // accepted calls when others come
	refused  latency.Sample
	allocs   uint64 // bytes allocated in rounds with others, all calls together
	failures []error
}

func (b *bench) run(ctx context.Context) (err error) {
	b.host, err = rootbridge.Start(ctx, rootbridge.Options{
		Source: source, Workers: workers, Concurrency: concurrency, QueueLimit: queueLimit,
		QueueTimeout: time.Minute, CallTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer b.host.Close()
	for range b.rounds {
		b.measure(ctx, 0, &b.alone)
		b.measure(ctx, b.extra, &b.beside)
	}
	b.alone.Sort()
	b.beside.Sort()
	b.refused.Sort()
	return nil
}

// measure lets callers call for one round: room of them and so many more.
func (b *bench) measure(ctx context.Context, extra int, accepted *latency.Sample) {
	ctx, stop := context.WithTimeout(ctx, b.round)
	defer stop()
	before := allocated()
	var calling sync.WaitGroup
	for range room + extra {
		calling.Go(func() { b.callOn(ctx, accepted) })
	}
	calling.Wait()
	if extra > 0 {
		b.allocs += allocated() - before
	}
}

func allocated() uint64 {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.TotalAlloc
}

func (b *bench) callOn(ctx context.Context, accepted *latency.Sample) {
	var taken, refused latency.Sample
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		var got int
		err := b.host.Call(context.Background(), "work", n, &got)
		took := time.Since(began)
		switch {
		case err == nil && got == n:
			taken = append(taken, took)
		case errors.Is(err, rootbridge.CodeOverloaded):
			refused = append(refused, took)
			time.Sleep(pause)
		default:
			b.fail(fmt.Errorf("call %d got %d: %w", n, got, err))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	*accepted = append(*accepted, taken...)
	b.refused = append(b.refused, refused...)
}

func (b *bench) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, err)
}

func (b *bench) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%d calls run, %d wait, %d more callers try every %v, in every other round of %v\n\n", workers*concurrency, queueLimit, b.extra, pause, b.round)
	latency.PrintHead(w)
	b.refused.PrintRow(w, "refused")
	b.alone.PrintRow(w, "accepted, no others")
	b.beside.PrintRow(w, "accepted beside refused")
	b.beside.PrintRatio(w, b.alone)
	_, _ = fmt.Fprintf(w, "\nbytes allocated for each call, accepted or refused: %d\nfailed otherwise: %d\n",
		b.allocs/uint64(max(1, len(b.beside)+len(b.refused))), len(b.failures))
	for _, err := range b.failures[:min(len(b.failures), 5)] {
		_, _ = fmt.Fprintln(w, " ", err)
	}
}
