package lambda_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSIGTERMEndsAFunctionWithItsWorkers(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	function := startFunction(t, api.URL, oldHandler)
	worker := jsonOf[int](t, api.invoke(t, `{"do":"pid"}`).body)
	if err := function.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := function.exitCode(t); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if err := syscall.Kill(worker, 0); err == nil {
		t.Errorf("the worker %d is still there", worker)
	}
}

// Between two invocations Lambda stops every process of the environment, for minutes.
func TestAFrozenEnvironmentKeepsItsWorker(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	function := startFunction(t, api.URL, oldHandler)
	worker := jsonOf[int](t, api.invoke(t, `{"do":"pid"}`).body)
	thaw := freeze(t, function.Process.Pid, worker)
	time.Sleep(2 * grace)
	thaw()
	if after := jsonOf[int](t, api.invoke(t, `{"do":"pid"}`).body); after != worker {
		t.Errorf("worker %d was replaced by %d", worker, after)
	}
}

func TestAnEnvironmentThatIsFrozenWhileAWorkerStartsGoesOn(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	function := startFunction(t, api.URL, slowToLoad)
	first := jsonOf[int](t, api.invoke(t, `{"do":"pid"}`).body)
	api.invoke(t, `{"do":"exit"}`)
	var starting []int
	eventually(t, "another worker starts", func() bool {
		starting = slices.DeleteFunc(children(function.Process.Pid), func(pid int) bool { return pid == first })
		return len(starting) > 0
	})
	thaw := freeze(t, append(starting, function.Process.Pid)...)
	time.Sleep(2 * grace)
	thaw()
	if after := jsonOf[int](t, api.invoke(t, `{"do":"pid"}`).body); after != starting[0] {
		t.Errorf("worker %d was replaced by %d", starting[0], after)
	}
}

const slowToLoad = oldHandler + `
const until = Date.now() + 300;
while (Date.now() < until);
`

func children(pid int) []int {
	var all []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// freeze stops processes, and returns when no thread of them runs any more.
func freeze(t *testing.T, pids ...int) (thaw func()) {
	t.Helper()
	signal := func(signal syscall.Signal) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, signal); err != nil {
				t.Errorf("%v: %v", signal, err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	for _, pid := range pids {
		eventually(t, "the process has stopped", func() bool {
			stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
			return err == nil && len(stats) > 0 && !slices.ContainsFunc(stats, func(file string) bool {
				stat, err := os.ReadFile(file)
				return err == nil && !strings.Contains(string(stat), ") T ")
			})
		})
	}
	return func() { signal(syscall.SIGCONT) }
}
