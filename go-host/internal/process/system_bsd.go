//go:build unix && !linux

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// attributes puts a worker into a process group of its own, so that a terminal's Ctrl-C reaches only the host and a kill
// reaches the worker's children. There is no parent-death signal: a worker ends when it sees the end of its stdin.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func growPipe(*os.File) {}

// reap waits for a process, then kills what it left in its group.
func reap(cmd *exec.Cmd) {
	_ = cmd.Wait() // the state that it leaves says more than its error
	killGroup(cmd.Process.Pid)
}
