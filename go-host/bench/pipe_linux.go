package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// growPipe gives a pipe the size that Rootbridge gives its own, or leaves it where the system does not allow it.
func growPipe(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
}
