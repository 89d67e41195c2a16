//go:build !linux

package process

import (
	"os/exec"
	"sync/atomic"
	"time"
)

// tree is a worker, and on Unix its process group: these systems have no cheap way to find who else descends from it.
type tree struct {
	cmd      *exec.Cmd
	released atomic.Bool // the worker has been waited for: its number may be another's
}

func newTree(cmd *exec.Cmd, _ string) *tree { return &tree{cmd: cmd} }

// await waits for the worker, then kills what it left in its group.
func (t *tree) await() {
	_ = t.cmd.Wait() // the state that it leaves says more than its error
	t.released.Store(true)
	killLeft(t.cmd.Process)
}

func (t *tree) terminate(time.Duration) {
	if !t.released.Load() {
		terminate(t.cmd.Process)
	}
}

func (t *tree) kill() {
	if !t.released.Load() {
		kill(t.cmd.Process)
	}
}

func (t *tree) clear() {}

func (t *tree) reapOrphans() {}

func (t *tree) rss() (bytes int64, ok bool) { return 0, false }

func (t *tree) stopped() bool { return false }
