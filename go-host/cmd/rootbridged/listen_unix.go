//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// lockFolder keeps others that do the same out. The lock is on the folder itself, so that no file is left.
func lockFolder(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		_ = folder.Close()
		return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	return func() { _ = folder.Close() }, nil
}

// withUmask lets new files have the bits of mode and no others. It returns what undoes that.
func withUmask(mode fs.FileMode) (undo func()) {
	before := syscall.Umask(int(fs.ModePerm &^ mode))
	return func() { syscall.Umask(before) }
}
