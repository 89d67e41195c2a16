package rootbridge

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"rootbridge/internal/process"
)

const (
	heapFlag = "--max-old-space-size"
	// heapPart is the part of a container's memory that all heaps together may take; the rest is for the host, and for what
	// Node needs besides.
	heapPart = 0.75
	// leastHeap is the smallest heap in bytes that is derived from a container's limit: less would fail more than it saves.
	leastHeap = 64 << 20
	// ownHeap is about what Node itself takes at most for its heap on a large machine.
	ownHeap = 4 << 30
)

// heapSize is the heap in bytes that each worker is given, or 0 where it is Node's business or the user's.
func (o Options) heapSize() int64 {
	if o.setsHeap() || len(o.Command) > 0 {
		return 0
	}
	return cmp.Or(o.MaxHeap, o.shareOfContainer())
}

// memoryArgs limits a worker's heap.
func (h *Host) memoryArgs() []string {
	if h.heap == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s=%d", heapFlag, max(1, h.heap>>20))}
}

// shareOfContainer is a worker's part of the container's memory, or 0 where Node's own default is no more.
func (o Options) shareOfContainer() int64 {
	limit, ok := process.MemoryLimit()
	if !ok {
		return 0
	}
	return shareOf(limit, o.Workers, o.MaxDraining)
}

// shareOf counts the overlap of new and old workers during a reload: all that can be there at a time.
func shareOf(limit int64, workers, draining int) int64 {
	share := max(leastHeap, int64(heapPart*float64(limit))/int64(workers+1+draining))
	if share >= ownHeap {
		return 0
	}
	return share
}

// setsHeap tells whether the user has chosen a heap size.
func (o Options) setsHeap() bool {
	isFlag := func(arg string) bool {
		return strings.HasPrefix(strings.ReplaceAll(arg, "_", "-"), heapFlag)
	}
	if slices.ContainsFunc(o.NodeArgs, isFlag) {
		return true
	}
	for _, variable := range slices.Backward(o.Env) {
		if options, ok := strings.CutPrefix(variable, "NODE_OPTIONS="); ok {
			return slices.ContainsFunc(strings.Fields(options), isFlag)
		}
	}
	return !o.ReplaceEnv && slices.ContainsFunc(strings.Fields(os.Getenv("NODE_OPTIONS")), isFlag)
}
