package rootbridge_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rootbridge"
)

// versioned is a module whose answers tell of which version it is.
func versioned(version int) string {
	return fmt.Sprintf(`
		exports.version = (v) => new Promise((r) => setTimeout(r, v?.ms ?? 0, { version: %d, echo: v }));
		exports.pid = () => process.pid;
		exports.sleep = (ms) => new Promise((r) => setTimeout(r, ms, %d));
		exports.exit = () => process.exit(1);`, version, version)
}

type versionAnswer struct {
	Version int
	Echo    struct{ ID, MS int }
}

// load calls a host from several goroutines until it is stopped, and checks every answer.
type load struct {
	host    *rootbridge.Host
	calls   atomic.Int64
	stop    chan struct{}
	callers sync.WaitGroup
}

func startLoad(t *testing.T, host *rootbridge.Host, callers int) *load {
	t.Helper()
	l := &load{host: host, stop: make(chan struct{})}
	for caller := range callers {
		l.callers.Go(func() {
			for i := caller; ; i += callers {
				select {
				case <-l.stop:
					return
				default:
					l.call(t, i)
				}
			}
		})
	}
	return l
}

func (l *load) call(t *testing.T, i int) {
	t.Helper()
	var got versionAnswer
	var reply rootbridge.Reply
	in := map[string]int{"id": i, "ms": i % 5}
	if err := l.host.Call(t.Context(), "version", in, &got, rootbridge.WithReply(&reply)); err != nil {
		t.Errorf("call %d: %v", i, err)
	} else if got.Version != reply.Generation || got.Echo.ID != i || reply.WorkerPID == 0 {
		t.Errorf("call %d was answered with %+v by %+v", i, got, reply)
	}
	l.calls.Add(1)
}

// pass waits until n more calls have returned.
func (l *load) pass(t *testing.T, n int64) {
	t.Helper()
	goal := l.calls.Load() + n
	eventually(t, "calls go on", func() bool { return l.calls.Load() >= goal })
}

func (l *load) end() { close(l.stop); l.callers.Wait() }

func TestAReloadUnderLoadFailsNoCallAndEachIsAnsweredByOneGeneration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry, with(func(o *rootbridge.Options) { o.Workers = 2 }))
	eventually(t, "both workers have loaded the first version", func() bool { return host.Stats().Ready == 2 })
	l := startLoad(t, host, 8)
	for generation := 2; generation <= 6; generation++ {
		l.pass(t, 50)
		writeFile(t, dir, "index.js", versioned(generation))
		if err := host.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		for range 10 { // whoever asks after the reload gets the new code
			if got := call[versionAnswer](t, host, "version", nil); got.Version != generation {
				t.Errorf("generation %d answered after the reload to %d", got.Version, generation)
			}
		}
	}
	l.end()
	eventually(t, "the old workers are gone", func() bool { s := host.Stats(); return s.Draining == 0 && s.Ready == 2 })
	if s := host.Stats(); s.Generation != 6 || s.Reloads != 5 || s.RestartsBy["reload"] != 10 || len(s.Failed) > 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestCodeThatDoesNotLoadLeavesTheOldServing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ code, want string }{
		"syntax":             {"exports.version = (;", "SyntaxError"},
		"throws":             {"console.error('no database'); throw new Error('half deployed');", "half deployed"},
		"missing dependency": {"require('not-there-at-all');", "not-there-at-all"},
		"never loads":        {endless, "Options.BootTimeout"},
		"exits":              {"process.exit(3);", "process.exit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			entry := writeFile(t, dir, "index.js", versioned(1))
			host := start(t, entry, with(func(o *rootbridge.Options) { o.BootTimeout = 3 * time.Second }))
			l := startLoad(t, host, 2)
			before := call[int](t, host, "pid", nil)
			writeFile(t, dir, "index.js", c.code)
			err := host.Reload(t.Context())
			expectCode(t, err, rootbridge.CodeBootFailed, c.want)
			l.pass(t, 20)
			l.end()
			if after := call[int](t, host, "pid", nil); after != before {
				t.Error("the worker was replaced")
			}
			if s := host.Stats(); s.Generation != 1 || s.FailedReloads != 1 || s.Restarts != 0 {
				t.Errorf("stats: %+v", s)
			}
			writeFile(t, dir, "index.js", versioned(2))
			if err := host.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			if got := call[versionAnswer](t, host, "version", nil); got.Version != 2 {
				t.Errorf("version %d answers", got.Version)
			}
		})
	}
}

func TestTheErrorOfAFailedReloadHasTheWorkersLastWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry)
	writeFile(t, dir, "index.js", "require('fs').writeSync(2, 'cannot reach db:5432\\n'); throw new TypeError('no db');")
	e := asError(t, host.Reload(t.Context()))
	if e.Code != rootbridge.CodeBootFailed || e.Name != "TypeError" || e.Stderr != "cannot reach db:5432" {
		t.Errorf("got %+v", e)
	}
}

func TestSymlinksAreFollowedOnceForEachGeneration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for release, code := range map[string]string{"1": versioned(1), "2": "throw new Error('broken release');", "3": versioned(2)} {
		writeFile(t, filepath.Join(dir, release), "package.json", "{}")
		writeFile(t, filepath.Join(dir, release), "index.js", code)
	}
	current := filepath.Join(dir, "current")
	deploy(t, current, "1")
	host := start(t, filepath.Join(current, "index.js"), with(func(o *rootbridge.Options) { o.MaxCalls = 3 }))
	deploy(t, current, "2")
	for range 20 { // recycling goes on with the release that was loaded
		if got := call[versionAnswer](t, host, "version", nil); got.Version != 1 {
			t.Errorf("version %d answers", got.Version)
		}
	}
	expectCode(t, host.Reload(t.Context()), rootbridge.CodeBootFailed, "broken release")
	expectCode(t, host.Call(t.Context(), "exit", nil, nil), rootbridge.CodeWorkerCrashed)
	if got := call[versionAnswer](t, host, "version", nil); got.Version != 1 {
		t.Errorf("after a crash version %d answers", got.Version)
	}
	deploy(t, current, "3")
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if got := call[versionAnswer](t, host, "version", nil); got.Version != 2 {
		t.Errorf("after the reload version %d answers", got.Version)
	}
}

// deploy sets a link anew, whole.
func deploy(t *testing.T, link, release string) {
	t.Helper()
	fresh := link + ".new"
	if err := errors.Join(os.Symlink(release, fresh), os.Rename(fresh, link)); err != nil {
		t.Fatal(err)
	}
}

func TestAfterAnEditRecyclingWaitsForAReloadAndACrashSaysWhatItLoads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "package.json", "{}")
	entry := writeFile(t, dir, "index.js", versioned(1))
	var logged records
	host := start(t, entry, logged.logTo, with(func(o *rootbridge.Options) { o.MaxCalls = 2 }))
	before := call[int](t, host, "pid", nil)
	writeFile(t, dir, "index.js", "throw new Error('being edited');")
	eventually(t, "recycling waits", func() bool {
		if got := call[int](t, host, "pid", nil); got != before {
			t.Errorf("worker %d answers, which loaded changed files unasked", got)
		}
		return strings.Contains(logged.String(), "recycling waits for a reload")
	})
	writeFile(t, dir, "index.js", versioned(1)+"// edited")
	expectCode(t, host.Call(t.Context(), "exit", nil, nil), rootbridge.CodeWorkerCrashed)
	call[int](t, host, "pid", nil)
	eventually(t, "the log says what it loads", func() bool {
		return strings.Contains(logged.String(), "loads files that have changed") && strings.Contains(logged.String(), entry)
	})
}

func TestACallThatOutlivesTheDrainIsCutOffAndHearsWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry, with(func(o *rootbridge.Options) { o.DrainTimeout = 3 * time.Second }))
	var done sync.WaitGroup
	done.Go(func() {
		err := host.Call(t.Context(), "sleep", 30_000, nil)
		expectCode(t, err, rootbridge.CodeWorkerCrashed, "reload", "Options.DrainTimeout", "may have run")
	})
	done.Go(func() {
		if got := call[int](t, host, "sleep", 1_000); got != 1 {
			t.Errorf("a call that ends in time got %d", got)
		}
	})
	eventually(t, "the calls run", func() bool { return sent(host) == 2 })
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	done.Wait()
}

func TestAReloadIsCountedWhenItReturns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry)
	if err := os.Remove(entry); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(200) {
		expectCode(t, host.Reload(t.Context()), rootbridge.CodeBootFailed, "Options.Entry")
		if got := host.Stats().FailedReloads; got != i+1 {
			t.Fatalf("reload %d has failed, %d are counted", i+1, got)
		}
	}
}

// errgroup and the like cancel a reload with the error of something else as the cause.
func TestAReloadThatIsCanceledBecauseOfAnotherErrorIsCanceled(t *testing.T) {
	t.Parallel()
	host := start(t, busy)
	ctx, cancel := context.WithCancelCause(t.Context())
	other := &rootbridge.Error{Code: rootbridge.CodeBootFailed, Message: "of another host"}
	cancel(other)
	err := host.Reload(ctx)
	expectCode(t, err, rootbridge.CodeCanceled, "goes on")
	if errors.Is(err, rootbridge.CodeBootFailed) || !errors.Is(err, other) {
		t.Errorf("the error is taken for its cause, or has lost it: %v", err)
	}
}

func TestAReloadOfAClosedHostFailsAndACloseEndsOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry)
	writeFile(t, dir, "index.js", endless)
	reloaded := make(chan error)
	go func() { reloaded <- host.Reload(t.Context()) }()
	eventually(t, "the new worker starts", func() bool { return host.Stats().Starting == 1 })
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	expectCode(t, <-reloaded, rootbridge.CodeClosed)
	expectCode(t, host.Reload(t.Context()), rootbridge.CodeClosed)
}

func TestTheContextOfAReloadEndsOnlyTheWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry)
	writeFile(t, dir, "index.js", versioned(2))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	expectCode(t, host.Reload(ctx), rootbridge.CodeDeadlineExceeded, "goes on")
	eventually(t, "the new code answers", func() bool { return call[versionAnswer](t, host, "version", nil).Version == 2 })
}

func TestAWatchedPackageIsReloadedWhenItsFilesChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "package.json", "{}")
	writeFile(t, dir, "lib/version.js", "module.exports = 1;")
	writeFile(t, dir, "node_modules/dep/index.js", "module.exports = 1;")
	entry := writeFile(t, dir, "index.js", "const version = require('./lib/version.js'); exports.version = () => version;")
	host := start(t, entry, with(func(o *rootbridge.Options) { o.Watch = true }))
	writeFile(t, dir, "node_modules/dep/index.js", "module.exports = 2;")
	writeFile(t, dir, "lib/version.js", "module.exports = 2;")
	eventually(t, "version 2 answers", func() bool { return call[int](t, host, "version", nil) == 2 })
	writeFile(t, dir, "index.js", "broken(;")
	eventually(t, "the reload has failed", func() bool { return host.Stats().FailedReloads == 1 })
	writeFile(t, dir, "index.js", "exports.version = () => 3;")
	eventually(t, "the second reload has succeeded", func() bool { return host.Stats().Reloads == 2 })
	if got := call[int](t, host, "version", nil); got != 3 || host.Stats().FailedReloads != 1 {
		t.Errorf("version %d answers, %+v", got, host.Stats())
	}
}

func TestAReloadThatGetsNotIntoAllWorkersSaysThatBothServe(t *testing.T) {
	t.Parallel()
	var logged records
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry, logged.logTo, with(func(o *rootbridge.Options) { o.Workers = 2 }))
	eventually(t, "both are ready", func() bool { return host.Stats().Ready == 2 })
	writeFile(t, dir, "index.js", versioned(2)+`
		try { require('fs').mkdirSync(__dirname + '/taken'); } catch { throw new Error('only one at a time'); }`)
	err := host.Reload(t.Context())
	expectCode(t, err, rootbridge.CodeBootFailed, "generation 2 has taken over, but not in all workers", "only one at a time")
	if e := asError(t, err); e.Name != "Error" || e.Stack == "" {
		t.Errorf("the worker's own error is lost: %+v", e)
	}
	if s := host.Stats(); s.Generation != 2 || s.FailedReloads != 1 || s.Ready != 2 {
		t.Errorf("stats: %+v", s)
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(logged.String(), "reload failed halfway") })
	if strings.Contains(logged.String(), "goes on serving") {
		t.Error("the log says that only the earlier code serves")
	}
	if err := os.Remove(filepath.Join(dir, "taken")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are of the new code", func() bool {
		s := host.Stats()
		return len(s.Workers) == 2 && s.Workers[0].Generation == 2 && s.Workers[1].Generation == 2
	})
}

func TestWhatAReloadHasRefusedIsNotLoadedForAWorkerThatDiesWhileAnotherServes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry, with(func(o *rootbridge.Options) { o.Workers = 2 }))
	eventually(t, "both are ready", func() bool { return host.Stats().Ready == 2 })
	writeFile(t, dir, "index.js", "require('fs').appendFileSync(__dirname + '/loads', 'x'); throw new Error('refused');")
	expectCode(t, host.Reload(t.Context()), rootbridge.CodeBootFailed, "refused")
	expectCode(t, host.Call(t.Context(), "exit", nil, nil), rootbridge.CodeWorkerCrashed)
	for range 100 {
		call[int](t, host, "pid", nil)
		time.Sleep(5 * time.Millisecond)
	}
	if loads, err := os.ReadFile(filepath.Join(dir, "loads")); err != nil || len(loads) != 1 {
		t.Errorf("it was loaded %d times, %v", len(loads), err)
	}
	writeFile(t, dir, "index.js", versioned(3))
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "both are ready again", func() bool { return host.Stats().Ready == 2 })
}

func TestDataThatCodeWritesIntoItsOwnPackageKeepsNoWorkerFromBeingRecycled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "package.json", "{}")
	entry := writeFile(t, dir, "index.js", versioned(1)+`
		exports.save = () => require('fs').writeFileSync(__dirname + '/state.json', String(Math.random()));`)
	host := start(t, entry, with(func(o *rootbridge.Options) { o.MaxCalls = 10 }))
	eventually(t, "the worker was replaced twice", func() bool {
		call[any](t, host, "save", nil)
		return host.Stats().RestartsBy["calls"] >= 2
	})
}

func TestWatchedFilesThatNeverRestAreLoadedAndThoseThatTheCodeWritesAreNotLoadedForEver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "package.json", "{}")
	code := func(version int) string {
		return fmt.Sprintf("require('fs').writeFileSync(__dirname + '/loaded.json', String(Math.random())); exports.version = () => %d;", version)
	}
	host := start(t, writeFile(t, dir, "index.js", code(1)), with(func(o *rootbridge.Options) { o.Watch = true }))
	eventually(t, "what the first load wrote was seen", func() bool { return host.Stats().Reloads >= 1 })
	time.Sleep(3 * time.Second) // in which each further reload would cause another
	if n := host.Stats().Reloads; n > 2 {
		t.Errorf("%d reloads without any edit", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	writing.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			_ = os.WriteFile(filepath.Join(dir, "busy.json"), []byte(time.Now().String()), 0o600)
		}
	})
	writeFile(t, dir, "index.js", code(2))
	eventually(t, "version 2 answers", func() bool { return call[int](t, host, "version", nil) == 2 })
}
