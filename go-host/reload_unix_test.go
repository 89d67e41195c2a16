//go:build unix

package rootbridge_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rootbridge"
)

func TestSIGUSR2ToTheHostReloadsWithoutFailingACall(t *testing.T) { //nolint:paralleltest // the signal reaches the whole process
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry, with(func(o *rootbridge.Options) { o.ReloadOnSignal = true }))
	l := startLoad(t, host, 4)
	writeFile(t, dir, "index.js", versioned(2))
	for range 50 { // signals coalesce, and one reload at a time is enough
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a reload has succeeded", func() bool { return host.Stats().Reloads > 0 })
	writeFile(t, dir, "index.js", "throw new Error('broken');")
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR2)
	eventually(t, "a reload has failed", func() bool { return host.Stats().FailedReloads > 0 })
	l.pass(t, 20)
	l.end()
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}

func TestSIGUSR2ToAWorkerReplacesItNewFirst(t *testing.T) {
	t.Parallel()
	host := start(t, writeFile(t, t.TempDir(), "index.js", versioned(1)))
	l := startLoad(t, host, 4)
	before := call[int](t, host, "pid", nil)
	if err := syscall.Kill(before, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another worker answers", func() bool { return call[int](t, host, "pid", nil) != before })
	l.pass(t, 20)
	l.end()
	if s := host.Stats(); s.RestartsBy["signal"] != 1 || s.Generation != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// A worker can't handle the signal before Node has started, and dies of it.
func TestAWorkerThatDiesOfSIGUSR2WhileItStartsIsNoFailure(t *testing.T) {
	t.Parallel()
	host := start(t, writeFile(t, t.TempDir(), "index.js", `
		const fs = require('fs');
		const tries = __dirname + '/tries';
		fs.appendFileSync(tries, 'x');
		if (fs.readFileSync(tries).length <= 4) { process.removeAllListeners('SIGUSR2'); process.kill(process.pid, 'SIGUSR2'); for (;;); }
		exports.echo = (v) => v;`), with(func(o *rootbridge.Options) { o.NodeArgs = []string{"--require", killListeners(t)} }))
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
	if s := host.Stats(); s.BootFailures != 0 || s.Boots != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// killListeners is a preload that keeps anyone from handling SIGUSR2, as if Node had not started yet.
func killListeners(t *testing.T) string {
	t.Helper()
	return writeFile(t, t.TempDir(), "no-signal.cjs", `
		const { on, once, addListener } = process;
		for (const [name, own] of Object.entries({ on, once, addListener })) {
			process[name] = function (event, ...rest) { return event === 'SIGUSR2' ? this : own.call(this, event, ...rest); };
		}`)
}

func TestSIGUSR2DuringTheStartReloadsAfterIt(t *testing.T) { //nolint:paralleltest // the signal reaches the whole process
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1)+`
		require('fs').writeFileSync(__dirname + '/loading', '');
		while (!require('fs').existsSync(__dirname + '/go')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);`)
	signaled := make(chan struct{})
	go func() {
		defer close(signaled)
		for _, err := os.Stat(filepath.Join(dir, "loading")); err != nil; _, err = os.Stat(filepath.Join(dir, "loading")) {
			time.Sleep(time.Millisecond)
		}
		_ = os.WriteFile(entry, []byte(versioned(2)), 0o600)
		_ = syscall.Kill(os.Getpid(), syscall.SIGUSR2)
		_ = os.WriteFile(filepath.Join(dir, "go"), nil, 0o600)
	}()
	host := start(t, entry, with(func(o *rootbridge.Options) { o.ReloadOnSignal = true }))
	<-signaled
	eventually(t, "version 2 answers", func() bool { return call[versionAnswer](t, host, "version", nil).Version == 2 })
}
