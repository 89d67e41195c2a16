//go:build unix

package rootbridge

import (
	"os"
	"syscall"
)

// reloadSignal asks a host for a reload, and a worker for its replacement.
var reloadSignal os.Signal = syscall.SIGUSR2
