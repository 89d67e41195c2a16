package rootbridge_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"rootbridge"
)

// errgroup and the like cancel calls with the error of another call as the cause.
func TestACallThatIsCanceledBecauseOfAnotherCallsErrorIsCanceled(t *testing.T) {
	t.Parallel()
	host := start(t, busy+`export const boom = () => { throw new TypeError('boom'); };`, with(func(o *rootbridge.Options) { o.Concurrency = 1 }))
	first := host.Call(t.Context(), "boom", nil, nil)
	expectCode(t, first, rootbridge.CodeException)
	ctx, cancel := context.WithCancelCause(t.Context())
	var done sync.WaitGroup
	canceled := func(method string) {
		err := host.Call(ctx, method, nil, nil)
		expectCode(t, err, rootbridge.CodeCanceled)
		if errors.Is(err, rootbridge.CodeException) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the error is taken for its cause: %v", method, err)
		}
		if !errors.Is(err, first) {
			t.Errorf("%s: the cause is lost: %v", method, err)
		}
	}
	done.Go(func() { canceled("never") })
	eventually(t, "one runs", func() bool { return host.Stats().InFlight == 1 })
	done.Go(func() { canceled("echo") })
	eventually(t, "one waits", func() bool { return host.Stats().Queued == 1 })
	cancel(first)
	done.Wait()
	if got := host.Stats().Failed; got[rootbridge.CodeCanceled] != 2 || got[rootbridge.CodeException] != 1 {
		t.Errorf("counted %v", got)
	}
}

func TestAHostThatDidNotStartMayBeCalledAndClosed(t *testing.T) {
	t.Parallel()
	host, err := rootbridge.Start(t.Context(), rootbridge.Options{Entry: "no-such-file.js"})
	if err == nil || host != nil {
		t.Fatalf("it started: %v", err)
	}
	expectCode(t, host.Call(t.Context(), "echo", 1, nil), rootbridge.CodeClosed, "did not start")
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	if code := rootbridge.CodeOf((*rootbridge.Error)(nil)); code != "" {
		t.Errorf("a nil *Error has the code %q", string(code))
	}
}

func TestTheCodeOfACauseIsNotThatOfTheError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry)
	writeFile(t, dir, "index.js", "throw new Error('gone');")
	_ = host.Call(t.Context(), "exit", nil, nil)
	err := host.Call(t.Context(), "pid", nil, nil)
	expectCode(t, err, rootbridge.CodeWorkerUnavailable, "gone")
	if errors.Is(err, rootbridge.CodeBootFailed) || errors.Is(err, rootbridge.CodeWorkerCrashed) {
		t.Errorf("it is taken for its cause: %v", err)
	}
}

func TestALoggerThatPanicsEndsNothing(t *testing.T) {
	t.Parallel()
	host := start(t, `export const say = () => { console.log('hello'); return 1; };`, with(func(o *rootbridge.Options) {
		o.Logger = slog.New(panics{}).With("a", 1).WithGroup("g")
	}))
	if got := call[int](t, host, "say", nil); got != 1 {
		t.Errorf("got %d", got)
	}
}

type panics struct{}

func (panics) Enabled(context.Context, slog.Level) bool  { return true }
func (panics) Handle(context.Context, slog.Record) error { panic("no disk") }
func (p panics) WithAttrs([]slog.Attr) slog.Handler      { return p }
func (p panics) WithGroup(string) slog.Handler           { return p }

func TestAMessageThatIsNoTextStaysAField(t *testing.T) {
	t.Parallel()
	var logged records
	host := start(t, `export const log = () => { process.stdout.write(JSON.stringify({ level: 'info', message: { order: 7 } }) + '\n'); };`, logged.logTo)
	call[any](t, host, "log", nil)
	eventually(t, "it is logged", func() bool { return strings.Contains(logged.String(), `"order":7`) })
}

func TestAPreloadThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	e := startErr(t, rootbridge.Options{Source: busy, NodeArgs: []string{"--require=/nowhere/preload.cjs"}})
	expectCode(t, e, rootbridge.CodeBootFailed, "Cannot find module '/nowhere/preload.cjs'")
}
