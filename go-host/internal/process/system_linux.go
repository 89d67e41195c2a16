package process

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

// attributes puts a worker into a process group of its own, so that a terminal's Ctrl-C reaches only the host and a kill
// reaches the worker's children, and has the kernel kill it when the host dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

const (
	setPipeSize = 1031 // F_SETPIPE_SZ
	pipeSize    = 1 << 20
)

// growPipe makes large frames cheaper. The kernel may refuse it to a user with many pipes: then it stays small.
func growPipe(file *os.File) {
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, pipeSize)
	})
}

const (
	waitPID    = 1         // P_PID
	waitExited = 4         // WEXITED
	waitNoReap = 0x1000000 // WNOWAIT
)

// reap waits for a process, kills what it left in its group, and only then lets its number go, which is its group's too.
func reap(cmd *exec.Cmd) {
	awaitExit(cmd.Process.Pid)
	killGroup(cmd.Process.Pid)
	_ = cmd.Wait() // the state that it leaves says more than its error
}

// awaitExit returns when the process has ended, and leaves it a zombie.
func awaitExit(pid int) {
	var info [128]byte // siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, waitPID, uintptr(pid), uintptr(unsafe.Pointer(&info)), waitExited|waitNoReap, 0, 0) //nolint:gosec // the kernel fills a buffer of its own size
		if errno != syscall.EINTR {
			return
		}
	}
}
