package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/procfs"
)

// jsiiProcesses finds what the library does not tell.
func jsiiProcesses() ([]int, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	launchers := childrenOf(os.Getpid(), all)
	if len(launchers) != 1 {
		return nil, fmt.Errorf("expected one launcher of jsii's, got %v", launchers)
	}
	kernels := childrenOf(launchers[0], all)
	if len(kernels) != 1 {
		return nil, fmt.Errorf("expected one kernel of jsii's, got %v", kernels)
	}
	return append(launchers, kernels...), nil
}

// childrenOf are those that run a file which the library has unpacked.
func childrenOf(parent int, all procfs.Procs) []int {
	var pids []int
	for _, process := range all {
		stat, err := process.Stat()
		if err != nil || stat.PPID != parent {
			continue // it may have ended just now
		}
		command, err := process.CmdLine()
		if err == nil && strings.Contains(strings.Join(command, " "), "/jsii-runtime.") {
			pids = append(pids, process.PID)
		}
	}
	return pids
}
