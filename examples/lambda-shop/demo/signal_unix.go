//go:build unix

package main

import (
	"os"
	"syscall"
)

// reloadSignal asks the server to load its functions anew.
var reloadSignal os.Signal = syscall.SIGUSR2
