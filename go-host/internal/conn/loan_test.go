package conn_test

import (
	"runtime"
	"testing"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
)

// Not in parallel with others, like the next: what the whole program allocates is counted.
func TestLargePayloadsThatWaitAreNotCopiedUntilTheyAreReclaimed(t *testing.T) {
	p := newPeer(t)
	payload := make([]byte, 1<<20)
	calls := make([]*conn.Call, 64)
	var before, waiting, reclaimed runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range calls {
		calls[i] = conn.NewCall()
		if err := p.conn.Send(calls[i], frame.Raw, nil, payload); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&waiting)
	for _, call := range calls {
		call.Reclaim()
		call.Reclaim() // which is no use, and no harm
	}
	runtime.ReadMemStats(&reclaimed)
	sent, copied := waiting.TotalAlloc-before.TotalAlloc, reclaimed.TotalAlloc-waiting.TotalAlloc
	if sent > 8<<20 || copied < 50<<20 {
		t.Errorf("%d bytes were allocated for 64 MiB that wait, and %d to give them back", sent, copied)
	}
}

func TestAnEndedConnectionCopiesNothing(t *testing.T) {
	p := newPeer(t)
	payload := make([]byte, 1<<20)
	calls := make([]*conn.Call, 64)
	for i := range calls {
		calls[i] = conn.NewCall()
		if err := p.conn.Send(calls[i], frame.Raw, nil, payload); err != nil {
			t.Fatal(err)
		}
	}
	p.end()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, call := range calls {
		<-call.Done
		call.Reclaim()
	}
	runtime.ReadMemStats(&after)
	if copied := after.TotalAlloc - before.TotalAlloc; copied > 8<<20 {
		t.Errorf("%d bytes were copied for nobody", copied)
	}
}
