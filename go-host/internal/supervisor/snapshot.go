package supervisor

import "maps"

// Totals counts what has happened since the start, until Close.
type Totals struct {
	Boots         uint64            // workers that became ready
	BootFailures  uint64            // starts that failed, but for those that wait for a reload
	Restarts      map[Reason]uint64 // workers that another one took the place of, or has to
	Reloads       uint64            // that succeeded
	FailedReloads uint64
}

// Snapshot is what a Supervisor has at one moment.
type Snapshot[W any] struct {
	Generation int
	Wanted     int // workers that should serve
	Booting    int // workers that are starting
	Serving    []W // in the order of their slots
	Totals     Totals
}

// Snapshot returns a consistent snapshot. During it, and during look, nothing changes; look must not block.
func (s *Supervisor[W, G]) Snapshot(look func()) Snapshot[W] {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := Snapshot[W]{Generation: s.generation.Number, Wanted: s.wanted, Booting: s.booting, Totals: s.totals}
	snapshot.Totals.Restarts = maps.Clone(s.totals.Restarts)
	for _, slot := range s.slots {
		if slot.member != nil {
			snapshot.Serving = append(snapshot.Serving, slot.member.worker)
		}
	}
	look()
	return snapshot
}
