//go:build unix

package main

import (
	"os"
	"syscall"
)

// reloadSignal asks the server to load its backend anew.
var reloadSignal os.Signal = syscall.SIGUSR2
