//go:build !linux

package main

import (
	"errors"
	"syscall"
)

// The signals of Linux, which nothing sends here.
const (
	sigAsk      = syscall.Signal(0)
	sigContinue = syscall.Signal(0)
	sigKill     = syscall.Signal(0)
	sigQuit     = syscall.Signal(0)
	sigStop     = syscall.Signal(0)
	sigTerm     = syscall.Signal(0)
)

// unsupported says why nothing can be proven here, or is empty.
const unsupported = "needs Linux: what is left of a host is looked for in /proc"

var errUnsupported = errors.New(unsupported)

func send(int, syscall.Signal) error { return errUnsupported }

func mountSmall(string) error { return errUnsupported }

func unmount(string) error { return errUnsupported }

func lowerLimits(uint64) error { return errUnsupported }
