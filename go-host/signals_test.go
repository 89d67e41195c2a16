package rootbridge

import "syscall"

// signals are those that sessions name. Windows has no SIGUSR2.
var signals = map[string]syscall.Signal{"SIGKILL": syscall.SIGKILL, "SIGUSR2": 12}
