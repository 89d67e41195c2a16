package process

import (
	"os"
	"syscall"
)

// attributes keeps Ctrl-C for the host. A worker's own children are not ended with it on Windows.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

func growPipe(*os.File) {}

func terminate(p *os.Process) { _ = p.Kill() }

func kill(p *os.Process) { _ = p.Kill() }

func killLeft(*os.Process) {}
