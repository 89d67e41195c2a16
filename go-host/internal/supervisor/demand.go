package supervisor

import "time"

// Demand turns what a pool needs from moment to moment into how many workers it should have: at once as many as are needed,
// and fewer only when for a whole window fewer would have done. It has no lock of its own.
type Demand struct {
	least, most int
	window      time.Duration
	neededAt    []time.Time // when one more worker than the index was needed last
}

// NewDemand returns a demand between least and most workers.
func NewDemand(least, most int, window time.Duration) *Demand {
	return &Demand{least, most, window, make([]time.Time, most)}
}

// Note says that so many workers are needed now, and returns how many there should be.
func (d *Demand) Note(now time.Time, needed int) int {
	for i := range min(needed, d.most) {
		d.neededAt[i] = now
	}
	wanted := d.least
	for i := d.least; i < d.most; i++ {
		if !d.neededAt[i].IsZero() && now.Sub(d.neededAt[i]) < d.window {
			wanted = i + 1
		}
	}
	return wanted
}
