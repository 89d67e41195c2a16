package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// usageFrom is for where a measurement begins. What this process has used is read last, and by usageUntil first, so that what
// reading costs is not measured. It has no peak of this process.
func usageFrom(pids []int) (usage, error) {
	u, err := usageOf(pids)
	if err != nil {
		return u, err
	}
	u.reads, u.writes, err = systemCalls()
	u.allocs = allocations()
	u.goCPU = timeOf(rusage(unix.RUSAGE_SELF))
	return u, err
}

// usageUntil is for where a measurement ends.
func usageUntil(pids []int) (usage, error) {
	cpu := timeOf(rusage(unix.RUSAGE_SELF))
	allocs := allocations()
	reads, writes, err := systemCalls()
	if err != nil {
		return usage{}, err
	}
	_, peak, err := processUsage(os.Getpid())
	if err != nil {
		return usage{}, err
	}
	u, err := usageOf(pids)
	u.goCPU, u.allocs, u.reads, u.writes, u.goPeak = cpu, allocs, reads, writes, peak
	return u, err
}

// usageOf is what the processes with these ids have used.
func usageOf(pids []int) (usage, error) {
	var u usage
	for _, pid := range pids {
		cpu, peak, err := processUsage(pid)
		if err != nil {
			return u, err
		}
		u.nodeCPU += cpu
		u.nodePeak += peak
	}
	ended := rusage(unix.RUSAGE_CHILDREN)
	u.nodeCPU += timeOf(ended)
	if len(pids) == 0 {
		u.nodePeak = uint64(ended.Maxrss) << 10 // of the largest that has ended
	}
	return u, nil
}

// systemCalls are this process's that read and that write; see proc_pid_io(5).
func systemCalls() (reads, writes uint64, err error) {
	self, err := procfs.Self()
	if err != nil {
		return 0, 0, err
	}
	io, err := self.IO()
	return io.SyscR, io.SyscW, err
}

// resetPeaks has the peaks of memory begin anew; see proc_pid_clear_refs(5).
func resetPeaks(pids []int) error {
	for _, pid := range slices.Concat(pids, []int{os.Getpid()}) {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
			return err
		}
	}
	return nil
}

// rusage is what getrusage(2) tells, whose times are exact.
func rusage(who int) unix.Rusage {
	var used unix.Rusage
	_ = unix.Getrusage(who, &used)
	return used
}

func timeOf(used unix.Rusage) time.Duration {
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// processUsage is the time of a process's threads, and its peak of resident memory.
func processUsage(pid int) (cpu time.Duration, peak uint64, err error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0, err
	}
	status, err := process.NewStatus()
	if err != nil {
		return 0, 0, err
	}
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return 0, 0, err
	}
	for _, thread := range threads {
		used, err := thread.Schedstat()
		if err != nil && thread.PID == pid { // another may have ended just now
			return 0, 0, err
		}
		cpu += time.Duration(used.RunningNanoseconds)
	}
	return cpu, status.VmHWM, nil
}
