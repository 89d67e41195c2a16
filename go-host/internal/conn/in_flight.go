package conn

import "iter"

// inFlight are calls by their ids. Ids ascend, so that nearly every call has a place of its own in a small array; those whose
// place is taken, which happens behind a call that takes long, are in a map.
type inFlight struct {
	places []*Call // of a call with an id, if there: the one at id modulo the length, a power of 2
	others map[uint32]*Call
	count  int
}

// newInFlight has so many places, a power of 2.
func newInFlight(places int) inFlight {
	return inFlight{places: make([]*Call, places), others: map[uint32]*Call{}}
}

func (f *inFlight) get(id uint32) *Call {
	if call := *f.place(id); call != nil && call.id == id {
		return call
	}
	if len(f.others) == 0 {
		return nil
	}
	return f.others[id]
}

func (f *inFlight) place(id uint32) **Call { return &f.places[int(id)&(len(f.places)-1)] }

// add takes a call whose id is not in flight.
func (f *inFlight) add(call *Call) {
	if f.count*2 >= len(f.places) {
		f.grow()
	}
	f.count++
	f.put(call)
}

func (f *inFlight) put(call *Call) {
	if place := f.place(call.id); *place == nil {
		*place = call
	} else {
		f.others[call.id] = call
	}
}

func (f *inFlight) grow() {
	larger := newInFlight(2 * len(f.places))
	larger.count = f.count
	for call := range f.all() {
		larger.put(call)
	}
	*f = larger
}

func (f *inFlight) remove(call *Call) {
	f.count--
	if place := f.place(call.id); *place == call {
		*place = nil
	} else {
		delete(f.others, call.id)
	}
}

// all may remove the call that it is at.
func (f *inFlight) all() iter.Seq[*Call] {
	return func(yield func(*Call) bool) {
		for _, call := range f.places {
			if call != nil && !yield(call) {
				return
			}
		}
		for _, call := range f.others {
			if !yield(call) {
				return
			}
		}
	}
}
