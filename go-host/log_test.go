package rootbridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rootbridge"
)

const chatty = `
import { writeSync } from 'node:fs';
export const say = (text) => { console.log(text); return 'said'; };
export const levels = () => { console.debug('d'); console.info('i'); console.warn('w'); console.error('e'); };
export const pino = () => { process.stdout.write('{"level":50,"time":1,"pid":7,"hostname":"h","msg":"from pino","order":42}\n'); };
export const stderr = () => { writeSync(2, 'native line\n'); };
export const flood = (n) => { for (let i = 0; i < n; i++) console.log('line ' + i); return n; };
export const environment = () => Object.keys(process.env).length;
`

// logged runs calls on a host and returns its log records after its end.
func logged(t *testing.T, module string, calls func(host *rootbridge.Host), change ...func(o *rootbridge.Options)) []map[string]any {
	t.Helper()
	var kept records
	options := []func(o *rootbridge.Options){kept.logTo}
	host := start(t, module, func(o *rootbridge.Options) {
		for _, f := range append(options, change...) {
			f(o)
		}
	})
	calls(host)
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	var lines []map[string]any
	for line := range strings.Lines(kept.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, record)
	}
	return lines
}

func find(lines []map[string]any, message string) map[string]any {
	for _, line := range lines {
		if line["msg"] == message {
			return line
		}
	}
	return nil
}

func TestConsoleLinesBecomeRecordsOfTheirLevel(t *testing.T) {
	t.Parallel()
	lines := logged(t, chatty, func(host *rootbridge.Host) {
		call[any](t, host, "levels", nil, rootbridge.WithTraceID("t-9"))
		call[any](t, host, "pino", nil, rootbridge.WithTraceID("t-9"))
		call[any](t, host, "stderr", nil)
	})
	for message, level := range map[string]string{"d": "DEBUG", "i": "INFO", "w": "WARN", "e": "ERROR"} {
		got := find(lines, message)
		if got["level"] != level || got["source"] != "console" || got["method"] != "levels" || got["trace_id"] != "t-9" || got["worker"] == nil {
			t.Errorf("%s was logged as %v", message, got)
		}
	}
	pino := find(lines, "from pino")
	fields, _ := pino["fields"].(map[string]any)
	if pino["level"] != "ERROR" || pino["source"] != "log" || pino["trace_id"] != "t-9" || len(fields) != 1 || fields["order"] != 42.0 {
		t.Errorf("pino's line was logged as %v", pino)
	}
	if got := find(lines, "native line"); got["source"] != "stderr" || got["worker"] == nil {
		t.Errorf("the native line was logged as %v", got)
	}
}

func TestPayloadsAndEnvironmentAreNotLogged(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-value"
	lines := logged(t, fragile, func(host *rootbridge.Host) {
		call[string](t, host, "echo", secret)
		_ = host.Call(t.Context(), "failText", secret, nil)
		_ = host.Call(t.Context(), "fail", secret, nil)
		expectCode(t, host.Call(t.Context(), "suicide", secret, nil), rootbridge.CodeWorkerCrashed)
		eventually(t, "the worker was replaced", func() bool { return host.Stats().Boots == 2 })
	}, func(o *rootbridge.Options) { o.Env = append(o.Env, "TOKEN="+secret) })
	if len(lines) == 0 {
		t.Error("nothing was logged at all")
	}
	if text := fmt.Sprint(lines); strings.Contains(text, secret) || strings.Contains(text, "E_SHOP") {
		t.Errorf("a secret or a field is in the log: %s", text)
	}
}

// slowHandler blocks until it is released.
type slowHandler struct {
	slog.Handler
	release chan struct{}
	once    *sync.Once
	reached chan struct{}
}

func (h slowHandler) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "line ") {
		h.once.Do(func() { close(h.reached) })
		<-h.release
	}
	return h.Handler.Handle(ctx, r)
}

func TestAStuckLoggerStopsNoCallAndItsLostLinesAreCounted(t *testing.T) {
	t.Parallel()
	var kept records
	slow := slowHandler{release: make(chan struct{}), once: new(sync.Once), reached: make(chan struct{})}
	host := start(t, chatty, func(o *rootbridge.Options) {
		kept.logTo(o)
		slow.Handler = o.Logger.Handler()
		o.Logger = slog.New(slow)
	})
	if got := call[int](t, host, "flood", 5000); got != 5000 {
		t.Errorf("got %d", got)
	}
	<-slow.reached
	eventually(t, "lines were dropped", func() bool { return host.Stats().DroppedLogs > 0 })
	if got := call[string](t, host, "say", "one more"); got != "said" {
		t.Errorf("got %q", got)
	}
	close(slow.release)
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(kept.String(), "log lines were dropped") {
		t.Error("the loss was not reported")
	}
}

// blockedHandler takes nothing from the moment on when it is told to.
type blockedHandler struct {
	slog.Handler
	blocked *atomic.Bool
	release chan struct{}
}

func (h blockedHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.blocked.Load() {
		<-h.release
	}
	return h.Handler.Handle(ctx, r)
}

func TestALoggerThatBlocksStopsNeitherKillsNorReloadsNorDrainsNorCloses(t *testing.T) {
	t.Parallel()
	logger := blockedHandler{blocked: new(atomic.Bool), release: make(chan struct{})}
	host := start(t, busy, func(o *rootbridge.Options) {
		o.KillGrace, o.DrainTimeout = 100*time.Millisecond, 100*time.Millisecond
		logger.Handler = o.Logger.Handler()
		o.Logger = slog.New(logger)
	})
	t.Cleanup(func() { close(logger.release) })
	logger.blocked.Store(true)
	expectCode(t, host.Call(t.Context(), "spin", nil, nil, rootbridge.WithTimeout(50*time.Millisecond)), rootbridge.CodeDeadlineExceeded)
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
	cut := make(chan error)
	go func() { cut <- host.Call(t.Context(), "never", nil, nil) }()
	eventually(t, "the call runs", func() bool {
		return slices.ContainsFunc(host.Stats().Workers, func(w rootbridge.WorkerStats) bool { return w.Calls == 2 })
	})
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	expectCode(t, <-cut, rootbridge.CodeWorkerCrashed, "Options.DrainTimeout")
	if s := host.Stats(); s.Reloads != 1 || s.RestartsBy["crashed"] != 1 {
		t.Errorf("stats: %+v", s)
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinesBelowTheLoggersLevelAreNotHandedOn(t *testing.T) {
	t.Parallel()
	lines := logged(t, chatty, func(host *rootbridge.Host) { call[any](t, host, "levels", nil) }, func(o *rootbridge.Options) {
		o.Logger = slog.New(levelHandler{o.Logger.Handler()})
	})
	if find(lines, "d") != nil || find(lines, "e") == nil {
		t.Errorf("logged: %v", lines)
	}
}

type levelHandler struct{ slog.Handler }

func TestALoggerThatPanicsWhenAskedForItsLevelEndsNothing(t *testing.T) {
	t.Parallel()
	lines := logged(t, chatty, func(host *rootbridge.Host) { call[any](t, host, "levels", nil) }, func(o *rootbridge.Options) {
		o.Logger = slog.New(levellessHandler{o.Logger.Handler()})
	})
	if find(lines, "e") == nil {
		t.Errorf("logged: %v", lines)
	}
}

type levellessHandler struct{ slog.Handler }

func (levellessHandler) Enabled(context.Context, slog.Level) bool { panic("no level is set") }

func (levelHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func TestAFlushedLogHasWhatEndedCallsHavePrinted(t *testing.T) {
	t.Parallel()
	var kept records
	slow := slowHandler{release: make(chan struct{}), once: new(sync.Once), reached: make(chan struct{})}
	host := start(t, chatty, func(o *rootbridge.Options) {
		kept.logTo(o)
		slow.Handler = o.Logger.Handler()
		o.Logger = slog.New(slow)
	})
	call[int](t, host, "flood", 20)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expectCode(t, host.FlushLog(canceled), rootbridge.CodeCanceled)
	close(slow.release)
	if err := host.FlushLog(t.Context()); err != nil || !strings.Contains(kept.String(), "line 19") {
		t.Errorf("%v, and the log is %s", err, kept.String())
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	if err := host.FlushLog(t.Context()); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestAPreloadThatPrintsTakesNoTraceIDsFromLaterLines(t *testing.T) {
	t.Parallel()
	preload := writeFile(t, t.TempDir(), "agent.cjs", `console.log('agent started'); console.error('agent warns');`)
	lines := logged(t, chatty, func(host *rootbridge.Host) {
		call[any](t, host, "levels", nil, rootbridge.WithTraceID("t-9"))
	}, func(o *rootbridge.Options) { o.NodeArgs = []string{"--require", preload} })
	if find(lines, "agent started") == nil {
		t.Error("what the preload printed was not logged")
	}
	for message, level := range map[string]string{"i": "INFO", "e": "ERROR"} {
		got := find(lines, message)
		if got["level"] != level || got["source"] != "console" || got["trace_id"] != "t-9" {
			t.Errorf("%s was logged as %v", message, got)
		}
	}
}
