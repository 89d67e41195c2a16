package conn

import (
	"math/rand/v2"
	"testing"

	"rootbridge/internal/frame"
)

// Calls that take long stay while the ids of others go round several times.
func TestCallsAreFoundByTheirIDsInWhateverOrderTheyEnd(t *testing.T) {
	t.Parallel()
	calls, known, id := newInFlight(64), map[uint32]*Call{}, uint32(frame.MaxCallID-500)
	order := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		id = id%frame.MaxCallID + 1
		if _, ok := known[id]; ok {
			continue
		}
		call := &Call{id: id}
		calls.add(call)
		known[id] = call
		for other, call := range known {
			if order.IntN(8) == 0 {
				break
			}
			if order.IntN(3) > 0 && len(known) > 150 {
				calls.remove(call)
				delete(known, other)
			}
		}
		if calls.count != len(known) {
			t.Fatalf("%d calls are there, want %d", calls.count, len(known))
		}
	}
	for id, call := range known {
		if calls.get(id) != call {
			t.Errorf("call %d is not found", id)
		}
	}
	for id := range uint32(40_000) {
		if _, ok := known[id]; !ok && calls.get(id) != nil {
			t.Fatalf("call %d is found, and has ended", id)
		}
	}
	seen := 0
	for call := range calls.all() {
		seen++
		calls.remove(call)
	}
	if seen != len(known) || calls.count != 0 {
		t.Errorf("%d of %d calls were seen, %d are left", seen, len(known), calls.count)
	}
}
