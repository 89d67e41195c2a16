package rootbridge_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/rootbridgetest"
)

func TestCloseLetsCallsInFlightFinish(t *testing.T) {
	t.Parallel()
	host := start(t, busy)
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[string](t, host, "sleep", 1_500); got != "slept" {
			t.Errorf("got %q", got)
		}
	})
	eventually(t, "the call is in flight", func() bool { return sent(host) == 1 })
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	done.Wait()
	expectCode(t, host.Call(t.Context(), "echo", 1, nil), rootbridge.CodeClosed)
	if stats := host.Stats(); stats.Ready+stats.Draining+stats.InFlight != 0 {
		t.Errorf("left over: %+v", stats)
	}
}

func TestShutdownCutsCallsOffWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"never", "spin"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			host := start(t, busy, with(func(o *rootbridge.Options) { o.Concurrency, o.KillGrace = 1, 50*time.Millisecond }))
			var done sync.WaitGroup
			done.Go(func() {
				expectCode(t, host.Call(t.Context(), method, nil, nil), rootbridge.CodeClosed, "may have run")
			})
			eventually(t, "the call is in flight", func() bool { return sent(host) == 1 })
			done.Go(func() { expectCode(t, host.Call(t.Context(), "echo", 1, nil), rootbridge.CodeClosed) })
			eventually(t, "a call waits", func() bool { return host.Stats().Queued == 1 })
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := host.Shutdown(ctx)
			expectCode(t, err, rootbridge.CodeDeadlineExceeded, "in flight")
			done.Wait()
			if again := host.Shutdown(t.Context()); !errors.Is(again, err) {
				t.Errorf("a second Shutdown returned %v", again)
			}
		})
	}
}

func TestEveryConcurrentCloseReturnsWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	o := rootbridge.Options{Source: busy}
	onTestNode(&o)
	host, err := rootbridge.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var closers sync.WaitGroup
	for range 5 {
		closers.Go(func() {
			if err := host.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closers.Wait()
}

func TestCloseEndsWorkersThatAreStillStarting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", `
		const fs = require('fs');
		try { fs.mkdirSync(__dirname + '/first'); } catch { `+endless+` }
		exports.echo = (v) => v;`)
	host := start(t, entry, with(func(o *rootbridge.Options) { o.Workers = 3 }))
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsWorkersThatIgnoreEverything(t *testing.T) {
	t.Parallel()
	host := start(t, `
		import { spawn } from 'node:child_process';
		process.on('SIGTERM', () => {}); process.on('exit', () => { for (;;); });
		const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')"], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
		await new Promise((r) => child.stdout.once('data', r));
		export const echo = (v) => v;`, with(func(o *rootbridge.Options) { o.KillGrace = 100 * time.Millisecond }))
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
}

// The test helper itself must notice what a broken host would leave.
func TestTheTestHelperFailsATestThatLeavesAProcess(t *testing.T) {
	t.Parallel()
	inner := &recorder{TB: t}
	host := rootbridgetest.Start(inner, `
		import { spawn } from 'node:child_process';
		const { ROOTBRIDGE_WORKER, ...env } = process.env; // by which the host would find it
		export const leave = () => {
			const parent = spawn('sh', ['-c', 'sleep 4 &'], { detached: true, stdio: 'ignore', env });
			return new Promise((resolve) => parent.on('exit', () => resolve(parent.pid)));
		};`, onTestNode)
	if pid := call[int](t, host, "leave", nil); pid == 0 {
		t.Error("nothing was started")
	}
	for i := len(inner.cleanups) - 1; i >= 0; i-- {
		inner.cleanups[i]()
	}
	if len(inner.errors) != 1 {
		t.Errorf("a detached process was left, and the helper said %q", inner.errors)
	}
}

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, _ ...any) { r.errors = append(r.errors, format) }

func TestAShutdownInAnEndedContextWithoutCallsIsComplete(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		host := start(t, busy, with(func(o *rootbridge.Options) { o.Workers = 3 }))
		if err := host.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}
}
