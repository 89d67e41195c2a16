package process

import (
	"os"
	"os/exec"
	"syscall"
)

// attributes keeps Ctrl-C for the host. A worker's own children are not ended with it on Windows.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

func terminate(p *os.Process) error { return p.Kill() }

func kill(p *os.Process) error { return p.Kill() }

func growPipe(*os.File) {}

func reap(cmd *exec.Cmd) {
	_ = cmd.Wait() // the state that it leaves says more than its error
}
