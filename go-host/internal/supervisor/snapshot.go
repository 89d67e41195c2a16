package supervisor

import "time"

// Member is a worker that is ready.
type Member[W any] struct {
	Worker     W
	Slot       int // from 0; keeps its number when its worker is replaced
	Generation int
	Since      time.Time
}

// Snapshot is what a Supervisor has at one moment.
type Snapshot[W any] struct {
	Generation int
	Wanted     int         // workers that should serve
	Booting    int         // workers that are starting
	Members    []Member[W] // workers that serve, in the order of their slots
	Reloading  bool
}

// Snapshot returns a consistent snapshot. During it, and during look, nothing changes; look must not block.
func (s *Supervisor[W, G]) Snapshot(look func()) Snapshot[W] {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := Snapshot[W]{
		Generation: s.generation.Number, Wanted: s.wanted, Booting: s.booting, Reloading: s.running != nil,
	}
	for i, slot := range s.slots {
		if m := slot.member; m != nil {
			snapshot.Members = append(snapshot.Members, Member[W]{m.worker, i, m.generation, m.since})
		}
	}
	look()
	return snapshot
}
