package main

import (
	"runtime"
	"time"
)

// usage is what this process and others have used so far.
type usage struct {
	goCPU    time.Duration
	nodeCPU  time.Duration // of the processes with the given ids, and of children that have ended
	allocs   uint64
	reads    uint64 // system calls of this process that read, and that write
	writes   uint64
	goPeak   uint64 // resident memory since resetPeaks, in bytes
	nodePeak uint64
}

// allocations are those of this process so far.
func allocations() uint64 {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.Mallocs
}
