// Package rootbridgetest runs JavaScript in a test, and makes sure that nothing of it is left afterwards.
package rootbridgetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"rootbridge"
)

// Option changes the options that Start uses.
type Option func(*rootbridge.Options)

// Start starts a host for one test: with one worker, and with what the JavaScript prints in the test's log. module is the
// path of a JavaScript file or package folder, or the text of an ES module, which is told by an "export" and a brace, a
// semicolon or an equals sign.
//
// When the test ends the host is closed. The test fails if a goroutine of the host, or (on Linux) any process that the
// workers started, detached ones too, is still there afterwards.
func Start(t testing.TB, module string, options ...Option) *rootbridge.Host {
	t.Helper()
	mark := rand.Text()
	o := rootbridge.Options{Workers: 1, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if isSource(module) {
		o.Source = module
	} else {
		o.Entry = module
	}
	for _, option := range options {
		option(&o)
	}
	o.Env = append(o.Env, processMark+"="+mark)
	var host *rootbridge.Host
	var err error
	pprof.Do(t.Context(), pprof.Labels(goroutineMark, mark), func(ctx context.Context) {
		host, err = rootbridge.Start(ctx, o) // its goroutines inherit the label
	})
	t.Cleanup(func() {
		if host != nil {
			if err := host.Close(); err != nil {
				t.Logf("closing the host: %v", err)
			}
		}
		checkGone(t, mark)
	})
	if err != nil {
		t.Fatalf("starting the host: %v", err)
	}
	return host
}

const (
	processMark   = "ROOTBRIDGE_TEST"
	goroutineMark = "rootbridge_test"
)

// patience is how long something that is ending anyway may take to be gone.
const patience = 2 * time.Second

func isSource(module string) bool {
	_, err := os.Stat(module)
	return err != nil && strings.Contains(module, "export") && strings.ContainsAny(module, "{;=")
}

func checkGone(t testing.TB, mark string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		processes, goroutines := leftProcesses(mark), leftGoroutines(mark)
		if len(processes) == 0 && goroutines == "" {
			return
		}
		if time.Now().After(deadline) {
			for _, process := range processes {
				t.Errorf("a process is left: %s", process)
			}
			if goroutines != "" {
				t.Errorf("goroutines are left:\n%s", goroutines)
			}
			return
		}
	}
}

// leftProcesses finds the processes that inherited the mark in their environment.
func leftProcesses(mark string) []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	var left []string
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte(processMark+"="+mark)) {
			continue
		}
		dir := filepath.Dir(path)
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		left = append(left, filepath.Base(dir)+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
	}
	return left
}

// leftGoroutines returns the stacks of the goroutines that inherited the mark as a label.
func leftGoroutines(mark string) string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	var left []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, mark) {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
