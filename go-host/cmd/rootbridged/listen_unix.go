//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// tryLock locks a file that others than its owner can't open, so that they can't lock it either. It is there only as long.
func tryLock(name string) (unlock func(), err error) {
	file, err := openLock(name)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && isAt(file, name) {
		return func() { _, _ = os.Remove(name), file.Close() }, nil
	}
	_ = file.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "lock", Path: name, Err: err}
}

func openLock(name string) (*os.File, error) {
	defer withUmask(0o600)()
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

// isAt tells whether the file has still its name: who held the lock before has removed it.
func isAt(file *os.File, name string) bool {
	own, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(name)
	return err == nil && os.SameFile(own, there)
}

// withUmask lets new files have the bits of mode and no others. It returns what undoes that.
func withUmask(mode fs.FileMode) (undo func()) {
	before := syscall.Umask(int(fs.ModePerm &^ mode))
	return func() { syscall.Umask(before) }
}
