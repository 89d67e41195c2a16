package rootbridge

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rootbridge/internal/process"
	"rootbridge/internal/stamp"
)

// A worker loads code once it has its hello. A file that changes after that has not been loaded as it is now.
func TestTheFilesAreLookedAtBeforeAWorkerGetsItsHello(t *testing.T) {
	t.Parallel()
	stdin, stdinW := pipe(t)
	stdout, stdoutW := pipe(t)
	hello := []byte("hello")
	looked := make(chan struct{})
	b := &booting{
		host:    &Host{options: Options{BootTimeout: time.Minute}, hello: hello},
		process: &process.Process{Stdin: stdinW, Stdout: stdout},
		code: &code{files: func() stamp.Stamp {
			defer close(looked)
			if err := stdin.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Error(err)
			}
			if n, err := stdin.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes came first, %v", n, err)
			}
			return stamp.Stamp{}
		}},
	}
	_ = stdoutW.Close()
	if _, err := b.run(); err == nil {
		t.Error("a worker is ready that said nothing")
	}
	<-looked
	if err := stdin.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdin, make([]byte, len(hello))); err != nil {
		t.Errorf("no hello came: %v", err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func TestWhatChangesBeforeTheHelloHasBeenLoadedOnlyByWhatLoadsEarly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options Options
		changed bool
	}{
		"Node":               {Options{}, false},
		"Node with preloads": {Options{NodeArgs: []string{"--require=./setup.js"}}, true},
	} {
		entry := filepath.Join(t.TempDir(), "index.js")
		write := func(text string) {
			if err := os.WriteFile(entry, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("1")
		c.options.Entry, c.options.ReplaceEnv = entry, true
		read, err := readCode(c.options)
		if err != nil {
			t.Fatal(err)
		}
		write("22")
		if changed := read.look().Differs(read.files()) != ""; changed != c.changed {
			t.Errorf("%s: got %t", name, changed)
		}
	}
}

func TestFilesAreLookedAtAtOnceWhereAWorkerMayLoadThemBeforeItsHello(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		nodes   string // NODE_OPTIONS of this program
		early   bool
	}{
		"Node":                                {Options{}, "", false},
		"another program":                     {Options{Command: []string{"worker"}}, "", true},
		"options of Node":                     {Options{NodeArgs: []string{"--import=tsx"}}, "", true},
		"NODE_OPTIONS":                        {Options{}, "--require=./setup.js", true},
		"NODE_OPTIONS, of workers only":       {Options{ReplaceEnv: true, Env: []string{"NODE_OPTIONS=-r ./setup.js"}}, "", true},
		"NODE_OPTIONS, which workers get not": {Options{ReplaceEnv: true}, "--require=./setup.js", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NODE_OPTIONS", c.nodes)
			if early := c.options.loadsBeforeHello(); early != c.early {
				t.Errorf("got %t", early)
			}
		})
	}
}
