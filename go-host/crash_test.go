package rootbridge_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
)

const fragile = `
import { writeSync } from 'node:fs';
export const exit = (code) => { process.exit(code); };
export const throwLater = () => new Promise(() => setImmediate(() => { throw new TypeError('lost in a timer'); }));
export const rejectLater = () => new Promise(() => { Promise.reject(new RangeError('nobody caught me')); });
export const suicide = () => new Promise(() => process.kill(process.pid, 'SIGKILL'));
export const say = () => { writeSync(2, 'last words\n'); process.kill(process.pid, 'SIGKILL'); return new Promise(() => {}); };
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms, 'slept'));
export const pid = () => process.pid;
export const echo = (v) => v;
export const fail = () => { const e = new Error('outer', { cause: Object.assign(new TypeError('inner'), { hint: 'x' }) });
	e.name = 'ShopError'; e.code = 'E_SHOP'; e.status = 422; throw e; };
export const failAll = () => { throw new AggregateError([new Error('one'), new Error('two')], 'several'); };
export const failText = () => { throw 'just text'; };
`

func TestAnExceptionArrivesWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "shop.mjs", fragile)
	host := start(t, entry)
	err := host.Call(t.Context(), "fail", nil, nil)
	e := asError(t, err)
	expectCode(t, err, rootbridge.CodeException, "fail", "ShopError", "outer")
	if e.Name != "ShopError" || e.Message != "outer" || e.Method != "fail" || e.Fields["code"] != "E_SHOP" || e.Fields["status"] != 422.0 {
		t.Errorf("got %+v", e)
	}
	if !strings.Contains(e.Stack, "shop.mjs:11:") {
		t.Errorf("the stack does not lead to the line:\n%s", e.Stack)
	}
	if e.Cause == nil || e.Cause.Name != "TypeError" || e.Cause.Message != "inner" || e.Cause.Fields["hint"] != "x" {
		t.Errorf("the cause is %+v", e.Cause)
	}
	if text := err.Error(); strings.Contains(text, "E_SHOP") || strings.Contains(text, "422") {
		t.Errorf("fields are in the text: %s", text)
	}
	all := asError(t, host.Call(t.Context(), "failAll", nil, nil))
	if len(all.Errors) != 2 || all.Errors[1].Message != "two" {
		t.Errorf("got %+v", all)
	}
	text := asError(t, host.Call(t.Context(), "failText", nil, nil))
	if text.Name != "string" || text.Value != "just text" {
		t.Errorf("got %+v", text)
	}
}

func TestAnErrorHasWhatJavaScriptPrintedOnStderr(t *testing.T) {
	t.Parallel()
	const said = `console.log('not this'); console.error('DATABASE_URL is not set'); console.warn('cache is cold'); process.stderr.write('half a line');`
	host := start(t, `export const fail = () => { `+said+` process.exit(1); };`)
	e := asError(t, host.Call(t.Context(), "fail", nil, nil))
	const expected = "DATABASE_URL is not set\ncache is cold\nhalf a line"
	if e.Stderr != expected {
		t.Errorf("a call got %q", e.Stderr)
	}
	boot := startErr(t, rootbridge.Options{Entry: writeFile(t, t.TempDir(), "index.js", said+" process.exit(1)")})
	expectCode(t, boot, rootbridge.CodeBootFailed)
	if got := boot.Stderr; got != expected {
		t.Errorf("a boot got %q", got)
	}
}

func TestACallThatWaitsBehindAnothersLeftoversGoesToAnotherWorker(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"a handler that exits": `process.on('uncaughtException', () => process.exit(1));
			const leftover = () => setImmediate(() => { busy(300); throw new Error('leftover'); });`,
		"process.exit": `const leftover = () => setImmediate(() => { busy(300); process.exit(0); });`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := start(t, code+`
				const busy = (ms) => { const end = Date.now() + ms; while (Date.now() < end); };
				export const bad = () => { leftover(); return 'answered'; };
				export const ok = (value) => value;`)
			if got := call[string](t, host, "bad", nil); got != "answered" {
				t.Errorf("got %q", got)
			}
			if got := call[int](t, host, "ok", 1); got != 1 {
				t.Errorf("got %d", got)
			}
		})
	}
}

func TestADyingWorkerFailsItsCallWithTheReasonAndIsReplaced(t *testing.T) {
	t.Parallel()
	for method, words := range map[string][]string{
		"exit":        {"process.exit"},
		"throwLater":  {"TypeError", "lost in a timer"},
		"rejectLater": {"RangeError", "nobody caught me"},
		"suicide":     {"signal: killed"},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			host := start(t, fragile)
			err := host.Call(t.Context(), method, nil, nil)
			expectCode(t, err, rootbridge.CodeWorkerCrashed, words...)
			if got := call[string](t, host, "echo", "next"); got != "next" {
				t.Errorf("the next call got %q", got)
			}
			if e := asError(t, err); e.WorkerPID == 0 {
				t.Error("the error names no worker")
			}
			eventually(t, "the dead worker is forgotten", func() bool { return len(host.Stats().Workers) == 1 })
		})
	}
}

func TestTheLastWordsOfADeadWorkerAreInItsError(t *testing.T) {
	t.Parallel()
	host := start(t, fragile)
	e := asError(t, host.Call(t.Context(), "say", nil, nil))
	if e.Stderr != "last words" {
		t.Errorf("got %q", e.Stderr)
	}
}

func TestCallsBesideAnUncaughtExceptionMayFinishAndLaterOnesAreNotItsVictims(t *testing.T) {
	t.Parallel()
	host := start(t, fragile)
	var done sync.WaitGroup
	for range 10 {
		done.Go(func() {
			if got := call[string](t, host, "sleep", 500); got != "slept" {
				t.Errorf("a neighbour got %q", got)
			}
		})
	}
	eventually(t, "the neighbours run", func() bool { return sent(host) == 10 })
	done.Go(func() {
		expectCode(t, host.Call(t.Context(), "throwLater", nil, nil), rootbridge.CodeWorkerCrashed, "lost in a timer")
	})
	for i := range 200 {
		if got := call[int](t, host, "echo", i); got != i {
			t.Errorf("got %d", got)
		}
	}
	done.Wait()
}

func TestTimeThatACallHadAWorkerThatDidNotBeginItIsNoneOfItsTimeInTheQueue(t *testing.T) {
	t.Parallel()
	const queueTimeout = 2 * time.Second
	entry := writeFile(t, t.TempDir(), "index.js", `exports.blockAndExit = (ms) => {
		for (const end = Date.now() + ms; Date.now() < end; );
		process.exit(1);
	};
	exports.echo = (value) => value;`)
	host := start(t, entry, with(func(o *rootbridge.Options) {
		o.Workers, o.Concurrency, o.QueueTimeout = 1, 2, queueTimeout
	}))
	var done sync.WaitGroup
	done.Go(func() {
		err := host.Call(t.Context(), "blockAndExit", (queueTimeout + time.Second).Milliseconds(), nil)
		expectCode(t, err, rootbridge.CodeWorkerCrashed)
	})
	eventually(t, "it blocks", func() bool { return sent(host) == 1 })
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
	done.Wait()
}

func TestAWorkerKilledFromOutsideIsReplacedAndNoOtherCallIsLost(t *testing.T) {
	t.Parallel()
	host := start(t, fragile, with(func(o *rootbridge.Options) { o.Workers = 2 }))
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				var got int
				err := host.Call(t.Context(), "echo", i, &got)
				if err == nil && got != i || err != nil && !errors.Is(err, rootbridge.CodeWorkerCrashed) {
					t.Errorf("%d got %d, %v", i, got, err)
				}
			}
		})
	}
	for round := range uint64(5) {
		process, err := os.FindProcess(call[int](t, host, "pid", nil))
		if err != nil {
			t.Fatal(err)
		}
		_ = process.Kill()
		eventually(t, "the worker was replaced", func() bool { return host.Stats().Restarts > round })
	}
	stop()
	callers.Wait()
	eventually(t, "both workers are back", func() bool { return host.Stats().Ready == 2 })
	if stats := host.Stats(); stats.InFlight != 0 || stats.Queued != 0 {
		t.Errorf("left over: %+v", stats)
	}
}

func TestWhenTheModuleNoLongerLoadsCallsFailFastAndHealWithIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := `module.exports = { pid: () => process.pid, exit: () => process.exit(1) };`
	entry := writeFile(t, dir, "index.js", good)
	host := start(t, entry)
	writeFile(t, dir, "index.js", `throw new Error('half deployed');`)
	expectCode(t, host.Call(t.Context(), "exit", nil, nil), rootbridge.CodeWorkerCrashed)
	expectCode(t, host.Call(t.Context(), "pid", nil, nil), rootbridge.CodeWorkerUnavailable, "half deployed")
	writeFile(t, dir, "index.js", good)
	eventually(t, "the host healed", func() bool { return host.Call(t.Context(), "pid", nil, nil) == nil })
}

func TestAModuleThatDiesSoonAfterItLoadedIsNotStartedInAHotLoopAndCallsHearWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, words string }{
		"throws": {`setTimeout(() => { throw new Error('cannot connect to db'); }, 1); const end = Date.now() + 50; while (Date.now() < end); export const a = () => 1;`, "cannot connect to db"},
		"exits":  {`setTimeout(() => process.exit(3), 1); const end = Date.now() + 50; while (Date.now() < end); export const a = () => 1;`, "process.exit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := start(t, c.source)
			eventually(t, "calls hear why", func() bool {
				err := host.Call(t.Context(), "a", nil, nil)
				return rootbridge.CodeOf(err) == rootbridge.CodeWorkerUnavailable && strings.Contains(err.Error(), c.words)
			})
		})
	}
}

func TestCodeThatRemovesAllListenersStillEndsWithItsReasonAndWithoutVictims(t *testing.T) {
	t.Parallel()
	host := start(t, `
		export const strip = () => { process.removeAllListeners(); setTimeout(() => { throw new TypeError('left over'); }, 20); };
		export const slow = () => new Promise((r) => setTimeout(r, 100, 'slow'));
		export const exit = () => { process.removeAllListeners('exit'); process.exit(0); };`)
	call[any](t, host, "strip", nil)
	if got := call[string](t, host, "slow", nil); got != "slow" {
		t.Errorf("the next call got %q", got)
	}
	eventually(t, "the worker was replaced", func() bool { return host.Stats().Restarts == 1 })
	expectCode(t, host.Call(t.Context(), "exit", nil, nil), rootbridge.CodeWorkerCrashed, "process.exit")
}
