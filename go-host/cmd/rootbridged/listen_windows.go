package main

import "io/fs"

// tryLock does nothing: Windows has no flock.
func tryLock(string) (unlock func(), err error) { return func() {}, nil }

// withUmask does nothing: who may use a socket is up to the rights on its folder.
func withUmask(fs.FileMode) (undo func()) { return func() {} }
