//go:build unix && !linux

package process

import (
	"os"
	"syscall"
)

// attributes puts a worker into a process group of its own, so that a terminal's Ctrl-C reaches only the host and a kill
// reaches the worker's children. There is no parent-death signal: a worker ends when it sees the end of its stdin.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func growPipe(*os.File) {}

func terminate(p *os.Process) { signalGroup(p.Pid, syscall.SIGTERM) }

func kill(p *os.Process) { signalGroup(p.Pid, syscall.SIGKILL) }

// killLeft is called when the process itself has been waited for.
func killLeft(p *os.Process) { signalGroup(p.Pid, syscall.SIGKILL) }
