package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

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
	ended, own := rusage(unix.RUSAGE_CHILDREN), rusage(unix.RUSAGE_SELF)
	u.nodeCPU += timeOf(ended)
	u.goCPU = timeOf(own)
	if len(pids) == 0 {
		u.nodePeak = uint64(ended.Maxrss) << 10 // of the largest that has ended
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	u.allocs = memory.Mallocs
	var err error
	_, u.goPeak, err = processUsage(os.Getpid())
	return u, err
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
