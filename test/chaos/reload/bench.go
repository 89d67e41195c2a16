package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge"
)

// bench is one measurement.
//
// Law: mu guards samples and failures; the rest is set before the first call.
type bench struct {
	reloads   int
	workers   int
	measuring time.Duration
	quiet     time.Duration

	dir  string
	host *rootbridge.Host

	mu       sync.Mutex
	samples  []sample
	failures []error
}

// sample is one call.
type sample struct {
	due  time.Time     // when it had to be made
	took time.Duration // from then on
}

// window is the time of one reload.
type window struct{ from, until time.Time }

// concurrency is how many calls a worker runs at a time.
const concurrency = 16

// source is the code under test: some 0.2 ms of work, and something to tell one answer from another.
const source = `const version = %d;
exports.work = ({ n }) => {
  let x = n;
  for (let i = 0; i < 100_000; i++) x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  return { n, x, version };
};
`

type request struct {
	N uint32 `json:"n"`
}

type answer struct {
	N       uint32 `json:"n"`
	X       uint32 `json:"x"`
	Version int    `json:"version"`
}

// run measures the capacity, and then the latency at half of it.
func (b *bench) run(ctx context.Context) (*result, error) {
	dir, err := os.MkdirTemp("", "reload-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	if err := b.write(1); err != nil {
		return nil, err
	}
	b.host, err = rootbridge.Start(ctx, rootbridge.Options{
		Entry: filepath.Join(dir, "current", "index.js"), Workers: b.workers, Concurrency: concurrency,
		// A machine that is busy with other things makes calls slow, and that alone must not make them fail.
		QueueLimit: 1 << 20, QueueTimeout: time.Minute, CallTimeout: time.Minute,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer b.host.Close()
	capacity := b.capacity(ctx)
	windows, err := b.reloadUnderLoad(ctx, capacity/2)
	if err != nil {
		return nil, err
	}
	return newResult(b, capacity, windows), nil
}

// write makes a version of the code the current one.
func (b *bench) write(version int) error {
	name := fmt.Sprintf("release-%d", version)
	if err := os.Mkdir(filepath.Join(b.dir, name), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, name, "index.js"), fmt.Appendf(nil, source, version), 0o600); err != nil {
		return err
	}
	next := filepath.Join(b.dir, "next")
	if err := os.Symlink(name, next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(b.dir, "current"))
}

// capacity is how many calls a second as many callers make as the workers have places. The first third is not counted.
func (b *bench) capacity(ctx context.Context) float64 {
	var calls atomic.Int64
	var calling sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	for i := range b.workers * concurrency {
		calling.Go(func() {
			for ctx.Err() == nil {
				b.call(uint32(i)) //nolint:gosec // counts from 0
				calls.Add(1)
			}
		})
	}
	time.Sleep(b.measuring / 3)
	before, began := calls.Load(), time.Now()
	time.Sleep(b.measuring * 2 / 3)
	capacity := float64(calls.Load()-before) / time.Since(began).Seconds()
	stop()
	calling.Wait()
	return capacity
}

// call makes a call and keeps what went wrong with it.
func (b *bench) call(n uint32) {
	a, err := rootbridge.Func[request, answer](b.host, "work")(context.Background(), request{n})
	if err == nil && (a.N != n || a.X != work(n)) {
		err = fmt.Errorf("call %d got %+v", n, a)
	}
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.failures = append(b.failures, err)
	}
}

// work is what the code under test does.
func work(x uint32) uint32 {
	for range 100_000 {
		x = x*1664525 + 1013904223
	}
	return x
}

// reloadUnderLoad makes calls at a steady rate, whether those before have ended or not, and reloads meanwhile.
func (b *bench) reloadUnderLoad(ctx context.Context, rate float64) ([]window, error) {
	ctx, stop := context.WithCancel(ctx)
	var loading sync.WaitGroup
	loading.Go(func() { b.load(ctx, rate) })
	windows, err := b.reload(ctx)
	stop()
	loading.Wait()
	return windows, err
}

func (b *bench) load(ctx context.Context, rate float64) {
	var calling sync.WaitGroup
	defer calling.Wait()
	began := time.Now()
	for n := uint32(0); ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		calling.Go(func() {
			b.call(n % 1000)
			b.note(sample{due, time.Since(due)})
		})
	}
}

func (b *bench) note(s sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.samples = append(b.samples, s)
}

// reload loads new code as often as it should.
func (b *bench) reload(ctx context.Context) ([]window, error) {
	var windows []window
	for i := range b.reloads {
		time.Sleep(b.quiet)
		if err := b.write(2 + i); err != nil {
			return nil, err
		}
		from := time.Now()
		if err := b.host.Reload(ctx); err != nil {
			return nil, err
		}
		windows = append(windows, window{from, time.Now()})
	}
	time.Sleep(b.quiet)
	return windows, nil
}
