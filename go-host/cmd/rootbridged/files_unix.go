//go:build unix

package main

import (
	"math"
	"syscall"
)

// maxFiles is how many files and connections this process may have open. Go has raised the soft limit to the hard one.
func maxFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	return int(min(uint64(limit.Cur), math.MaxInt)) //nolint:unconvert // signed on FreeBSD
}
