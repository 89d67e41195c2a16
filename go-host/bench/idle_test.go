package main

import (
	"runtime"
	"testing"
)

func TestWhatIsCalledBeforeIdlingHoldsNoMemoryToSpeakOf(t *testing.T) { //nolint:paralleltest // nothing else may allocate meanwhile
	held := func() uint64 {
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		return memory.HeapAlloc
	}
	before := held()
	works := busyWorks(16)
	for _, w := range works {
		w.values()
	}
	if after := held(); after > before+1<<20 {
		t.Errorf("%d bytes, of at most a megabyte: they count as the host's", after-before)
	}
	runtime.KeepAlive(works)
}
