package supervisor

// Snapshot is what a Supervisor has at one moment.
type Snapshot[W any] struct {
	Generation int
	Wanted     int // workers that should serve
	Booting    int // workers that are starting
	Serving    []W // in the order of their slots
}

// Snapshot returns a consistent snapshot. During it, and during look, nothing changes; look must not block.
func (s *Supervisor[W, G]) Snapshot(look func()) Snapshot[W] {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := Snapshot[W]{Generation: s.generation.Number, Wanted: s.wanted, Booting: s.booting}
	for _, slot := range s.slots {
		if slot.member != nil {
			snapshot.Serving = append(snapshot.Serving, slot.member.worker)
		}
	}
	look()
	return snapshot
}
