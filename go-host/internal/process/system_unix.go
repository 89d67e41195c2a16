//go:build unix

package process

import "syscall"

// signalGroup reaches what has stayed in a worker's group. A group's number is not given to a new process while the group
// has members, nor while its leader has not been reaped.
func signalGroup(pid int, signal syscall.Signal) { _ = syscall.Kill(-pid, signal) }
