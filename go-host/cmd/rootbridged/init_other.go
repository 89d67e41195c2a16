//go:build !linux

package main

// isInit: on these systems nothing is process 1 of a container.
func isInit() bool { return false }

func serveAsInit() error { return nil }
