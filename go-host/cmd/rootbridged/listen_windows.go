package main

import "io/fs"

// lockFolder does nothing: Windows does not let a folder be locked.
func lockFolder(string) (unlock func(), err error) { return func() {}, nil }

// withUmask does nothing: who may use a socket is up to the rights on its folder.
func withUmask(fs.FileMode) (undo func()) { return func() {} }
