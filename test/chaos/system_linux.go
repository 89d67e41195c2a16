package main

import "syscall"

// The signals that faults send.
const (
	sigAsk      = syscall.SIGUSR2
	sigContinue = syscall.SIGCONT
	sigKill     = syscall.SIGKILL
	sigQuit     = syscall.SIGQUIT
	sigStop     = syscall.SIGSTOP
	sigTerm     = syscall.SIGTERM
)

// unsupported says why nothing can be proven here, or is empty.
const unsupported = ""

func send(pid int, sig syscall.Signal) error { return syscall.Kill(pid, sig) }

// mountSmall gives a folder a file system of its own that is soon full.
func mountSmall(dir string) error {
	return syscall.Mount("none", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=1m,nr_inodes=100,mode=700")
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }

// lowerLimits keeps the process and those that it starts from opening many files, and from dumping core when told to crash.
func lowerLimits(files uint64) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: files, Max: files})
}
