//go:build unix

package process

import (
	"fmt"
	"os"
	"syscall"
)

const canPassDescriptor = true

// checkPrivate refuses a directory in which another user could replace the worker's file.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory that only this user can write to", dir)
	}
	return nil
}
