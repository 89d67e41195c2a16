package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"rootbridge"
)

// checkLeft looks for traces of a host that has been closed: processes, goroutines, open files and files on the disk.
func (l *life) checkLeft(before map[string]int) {
	began := time.Now()
	for {
		left := l.left(before)
		if len(left) == 0 {
			return
		}
		if time.Since(began) > leaveBound {
			for _, each := range left {
				l.violate("%v after the host's end there is still %s", leaveBound, each)
			}
			l.killLeft()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (l *life) left(before map[string]int) []string {
	var left []string
	_, commands := markedProcesses(l.mark)
	for _, command := range commands {
		left = append(left, "the process "+command)
	}
	for _, stack := range hostStacks() {
		left = append(left, "the goroutine "+stack)
	}
	return append(append(left, leftOpen(before)...), l.leftFiles()...)
}

// killLeft keeps one violation from becoming many.
func (l *life) killLeft() {
	pids, _ := markedProcesses(l.mark)
	for _, pid := range pids {
		_ = send(pid, sigKill)
	}
}

// hostStacks returns the goroutines that run the host's code, or were started by it.
func hostStacks() []string {
	path := reflect.TypeFor[rootbridge.Host]().PkgPath()
	ours := regexp.MustCompile(`(?m)^(created by )?` + regexp.QuoteMeta(path) + `[./]`)
	return slices.DeleteFunc(strings.Split(stacks(), "\n\n"), func(stack string) bool { return !ours.MatchString(stack) })
}

// stacks describes all goroutines.
func stacks() string {
	buffer := make([]byte, 4<<20)
	return string(buffer[:runtime.Stack(buffer, true)])
}

func leftOpen(before map[string]int) []string {
	open, err := openFiles()
	if err != nil {
		return []string{err.Error()}
	}
	var left []string
	for target, n := range open {
		if n > before[target] {
			left = append(left, fmt.Sprintf("%s, open %d times and before %d times", target, n, before[target]))
		}
	}
	return left
}

// workerFile is what a host leaves for the next one: the worker's files, and what V8 made of them and of the code.
var workerFile = regexp.MustCompile(`^rootbridge(-\d+)?/worker-[0-9a-f]{16}/(start\.cjs|worker\.cjs|compile-cache/.+)$`)

func (l *life) leftFiles() []string {
	var left []string
	for _, dir := range l.trial.scratch() {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if name, _ := filepath.Rel(dir, path); err == nil && !entry.IsDir() && !workerFile.MatchString(name) {
				left = append(left, "the file "+path)
			}
			return nil
		})
	}
	return left
}

// checkLedger looks how often each function has run, when nothing can run any more.
func (l *life) checkLedger() {
	runs, wrong := l.ledger.check()
	for _, each := range wrong[:min(len(wrong), 5)] {
		l.violate("%s", each)
	}
	l.trial.ran(runs)
	if err := os.RemoveAll(l.dir); err != nil {
		l.violate("%v", err)
	}
}
