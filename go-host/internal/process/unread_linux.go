package process

import (
	"os"
	"syscall"
	"unsafe"
)

// hasUnread tells whether a pipe has something that nobody has read yet.
func hasUnread(pipe *os.File) bool {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return false
	}
	var size int32
	_ = raw.Control(func(fd uintptr) {
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&size))) //nolint:gosec // ioctl takes an address
	})
	return size > 0
}
