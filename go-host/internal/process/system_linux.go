package process

import (
	"os"
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

const getChildSubreaper = 37 // PR_GET_CHILD_SUBREAPER

// inherits tells whether processes whose parent has ended become this program's children: it is PID 1 of a container, or
// has made itself a subreaper.
func inherits() bool {
	if os.Getpid() == 1 {
		return true
	}
	var is int32
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, getChildSubreaper, uintptr(unsafe.Pointer(&is)), 0) //nolint:gosec // the kernel fills an int
	return errno == 0 && is != 0
}

// reap waits for one process that has ended. It fails for what is not this program's child, or not yet.
func reap(e entry) bool {
	if e.parent != os.Getpid() {
		return false
	}
	pid, err := syscall.Wait4(e.pid, nil, syscall.WNOHANG, nil)
	return err == nil && pid == e.pid
}
