package rootbridge_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"rootbridge"
)

// once is a module whose functions end the process the first time that they run.
func once(t *testing.T) string {
	t.Helper()
	return writeFile(t, t.TempDir(), "index.js", `
		const fs = require('fs');
		const runs = (id) => { fs.appendFileSync(__dirname + '/' + id, 'x'); return fs.readFileSync(__dirname + '/' + id).length; };
		const fragile = (id) => { const n = runs(id); if (n === 1) process.exit(1); return n; };
		exports.price = exports.charge = fragile;
		exports.always = (id) => { runs(id); process.exit(1); };
		exports.throws = (id) => { runs(id); throw new Error('no'); };
		exports.count = (id) => { try { return fs.readFileSync(__dirname + '/' + id).length; } catch { return 0; } };`)
}

func TestOnlyIdempotentCallsAreRunAgainAfterACrash(t *testing.T) {
	t.Parallel()
	host := start(t, once(t), with(func(o *rootbridge.Options) { o.Idempotent = []string{"price", "always", "throws"} }))
	var reply rootbridge.Reply
	var ran int
	if err := host.Call(t.Context(), "price", "a", &ran, rootbridge.WithReply(&reply)); err != nil || ran != 2 || !reply.Retried {
		t.Errorf("got %d, %v, %+v", ran, err, reply)
	}
	call[int](t, host, "count", "a") // an answer shows that it is a call that ends workers, and not the code
	expectCode(t, host.Call(t.Context(), "charge", "b", nil), rootbridge.CodeWorkerCrashed)
	call[int](t, host, "count", "a")
	if err := host.Call(t.Context(), "charge", "c", &ran, rootbridge.WithIdempotent()); err != nil || ran != 2 {
		t.Errorf("got %d, %v", ran, err)
	}
	call[int](t, host, "count", "a")
	expectCode(t, host.Call(t.Context(), "always", "d", nil), rootbridge.CodeWorkerCrashed)
	call[int](t, host, "count", "a")
	expectCode(t, host.Call(t.Context(), "throws", "e", nil), rootbridge.CodeException)
	for id, want := range map[string]int{"a": 2, "b": 1, "c": 2, "d": 2, "e": 1} {
		if got := call[int](t, host, "count", id); got != want {
			t.Errorf("%s ran %d times, expected %d", id, got, want)
		}
	}
	if s := host.Stats(); s.Retried != 3 {
		t.Errorf("%d were retried", s.Retried)
	}
}

func TestACallThatCouldNotBeRunAgainFailsWithTheCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", "exports.exit = () => process.exit(3); exports.ok = () => 1;")
	host := start(t, entry, with(func(o *rootbridge.Options) { o.QueueTimeout = 100 * time.Millisecond }))
	call[int](t, host, "ok", nil)
	writeFile(t, dir, "index.js", endless)
	var reply rootbridge.Reply
	err := host.Call(t.Context(), "exit", nil, nil, rootbridge.WithIdempotent(), rootbridge.WithReply(&reply))
	expectCode(t, err, rootbridge.CodeWorkerCrashed, "process.exit(3)", "not run again", "Options.QueueTimeout")
	if s := host.Stats(); reply.Retried || s.Retried != 0 {
		t.Errorf("it counts as run again: %+v, %+v", reply, s)
	}
}

func TestCallsBesideACrashRunOnceOrAreIdempotent(t *testing.T) {
	t.Parallel()
	host := start(t, once(t), with(func(o *rootbridge.Options) { o.Workers = 2 }))
	var done sync.WaitGroup
	for i := range 50 {
		done.Go(func() {
			id := fmt.Sprint("n", i)
			err := host.Call(t.Context(), "throws", id, nil, rootbridge.WithIdempotent())
			switch rootbridge.CodeOf(err) {
			case rootbridge.CodeException, rootbridge.CodeWorkerCrashed, rootbridge.CodeWorkerUnavailable, rootbridge.CodeQueueTimeout:
			default:
				t.Errorf("%s: %v", id, err)
			}
		})
		if i%5 == 0 { // each ends its worker, and the more do in a row the later the next one starts
			done.Go(func() { _ = host.Call(t.Context(), "charge", fmt.Sprint("c", i), nil) })
		}
	}
	done.Wait()
	eventually(t, "a worker answers", func() bool { return host.Call(t.Context(), "count", "x", nil) == nil })
	for i := range 50 {
		if got := call[int](t, host, "count", fmt.Sprint("c", i)); got > 1 {
			t.Errorf("a call that must not be run twice ran %d times", got)
		}
		if got := call[int](t, host, "count", fmt.Sprint("n", i)); got > 2 {
			t.Errorf("an idempotent call ran %d times", got)
		}
	}
}
