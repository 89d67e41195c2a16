// Package rootbridgetest runs JavaScript in a test, and makes sure that nothing of it is left afterwards.
package rootbridgetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
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
// When the test ends the host is closed. The test fails if a goroutine of the host is still there afterwards, or (on Linux) a
// process that had the workers' environment, or was a descendant of a worker when the test ended, detached ones too. A
// process of another environment whose parent ended before is not found.
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
	o.Env = append(slices.Clip(o.Env), processMark+"="+mark)
	var host *rootbridge.Host
	var err error
	pprof.Do(t.Context(), pprof.Labels(goroutineMark, mark), func(ctx context.Context) {
		host, err = rootbridge.Start(ctx, o) // its goroutines inherit the label
	})
	t.Cleanup(func() {
		family := familyOf(mark) // while workers are there to be parents
		if host != nil {
			if err := host.Close(); err != nil {
				t.Logf("closing the host: %v", err)
			}
		}
		checkGone(t, mark, family)
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

func checkGone(t testing.TB, mark string, family map[process]bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		processes, goroutines := leftProcesses(mark, family), leftGoroutines(mark)
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

// leftProcesses describes the processes that are of the family or have the mark.
func leftProcesses(mark string, family map[process]bool) []string {
	var left []string
	for p := range processes() {
		if family[p] || p.hasMark(mark) {
			left = append(left, p.describe())
		}
	}
	return left
}

// familyOf finds the processes that inherited the mark in their environment, and the descendants of those.
func familyOf(mark string) map[process]bool {
	family, pids := map[process]bool{}, map[string]bool{}
	all := processes()
	for grown := true; grown; {
		grown = false
		for p, parent := range all {
			if !family[p] && (pids[parent] || p.hasMark(mark)) {
				family[p], pids[p.pid] = true, true
				grown = true
			}
		}
	}
	return family
}

// process is told from a later one with the same pid by its start, in ticks since the machine's.
type process struct{ pid, start string }

// processes returns the pid of each process's parent. Those that have ended and wait for a parent to notice are left out.
func processes() map[process]string {
	parents := map[process]string{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, _ := os.ReadFile(path)
		// The name, in brackets, may hold anything. Behind it are state, parent, and 17 others before the start.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) >= 20 && fields[0] != "Z" {
			parents[process{filepath.Base(filepath.Dir(path)), fields[19]}] = fields[1]
		}
	}
	return parents
}

func (p process) hasMark(mark string) bool {
	environ, _ := os.ReadFile("/proc/" + p.pid + "/environ")
	return bytes.Contains(environ, []byte(processMark+"="+mark))
}

func (p process) describe() string {
	command, _ := os.ReadFile("/proc/" + p.pid + "/cmdline")
	return p.pid + " " + string(bytes.ReplaceAll(command, []byte{0}, []byte(" ")))
}

// leftGoroutines returns the stacks of the goroutines that inherited the mark as a label.
func leftGoroutines(mark string) string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	var left []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, mark) && !strings.Contains(stack, "os/signal.loop") { // that one is the program's own, for ever
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
