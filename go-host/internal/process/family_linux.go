package process

import (
	"os"
	"slices"
)

// members picks the tree's processes from a table: the worker, what was seen before, what has the mark, and all whose
// parent, or whose group's or session's leader, is one of them.
func (t *tree) members(table []entry) (members []entry, missed doubt) {
	f := family{rest: table, starts: map[int]int64{}}
	f.admit(func(e *entry) bool {
		start, seen := t.seen[e.pid]
		return seen && start == e.start || e.pid == t.pid && e.start == t.start
	})
	f.admitRelatives()
	room := make([]byte, 64<<10)
	f.admit(func(e *entry) bool {
		if e.dead() {
			return false
		}
		has, doubt := e.hasMark(t.mark, room)
		missed = max(missed, doubt)
		return has
	})
	f.admitRelatives()
	return f.members, missed
}

// withoutOthers leaves out this program's other children, which are workers or its own, and theirs: even those that were
// given a worker's environment. Only an heir can't tell its own from what a worker left.
func (t *tree) withoutOthers(table []entry) []entry {
	self := os.Getpid()
	others := family{rest: table, starts: map[int]int64{}}
	others.admit(func(e *entry) bool { return e.parent == self && e.pid != t.pid })
	others.admitRelatives()
	return others.rest
}

// family grows by relatives from a few known members.
type family struct {
	rest    []entry // not admitted
	members []entry
	starts  map[int]int64 // of the members, by pid
}

func (f *family) admitRelatives() {
	for f.admit(f.isRelative) {
	}
}

func (f *family) isRelative(e *entry) bool {
	return f.isElder(e.parent, e) || f.isElder(e.group, e) || f.isElder(e.session, e)
}

// isElder tells whether the pid is that of a member. If that one is younger, the pid was another's when e got it as its
// parent's or leader's.
func (f *family) isElder(pid int, e *entry) bool {
	start, ok := f.starts[pid]
	return ok && start <= e.start
}

// admit tells whether there was anybody to admit.
func (f *family) admit(is func(e *entry) bool) bool {
	before := len(f.members)
	f.rest = slices.DeleteFunc(f.rest, func(e entry) bool {
		if !is(&e) {
			return false
		}
		f.members = append(f.members, e)
		f.starts[e.pid] = e.start
		return true
	})
	return len(f.members) > before
}
