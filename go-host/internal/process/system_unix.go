//go:build unix

package process

import (
	"os"
	"syscall"
)

func terminate(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGTERM) }

func kill(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

// killGroup kills what an ended process left in its group. A group's number is not given to a new process while the
// group has members.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
