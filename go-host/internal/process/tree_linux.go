package process

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tree is a worker and its descendants, wherever they went. Each look at it reads the system's process table anew.
//
// Law: mu guards start, seen, spared and urgent. It is held while signals are sent and while the worker is reaped, so that
// no signal goes to a number that was let go; nothing under it waits for a process to end. released changes under it.
type tree struct {
	cmd  *exec.Cmd
	pid  int // of the worker, and the number of its group
	mark []byte

	released atomic.Bool // the worker has been reaped: its number may be another's

	mu     sync.Mutex
	start  int64         // of the worker; 0 when it could not be read
	seen   map[int]int64 // pid and start of each member that the last look found
	spared time.Time     // until then what was asked to terminate may take its time
	urgent bool          // nothing is spared any more
}

// newTree is called before anybody waits for the process.
func newTree(cmd *exec.Cmd, mark string) *tree {
	t := &tree{cmd: cmd, pid: cmd.Process.Pid, mark: []byte(mark)}
	t.identify() // if need be, each look tries again
	return t
}

// identify reads when the worker started: no descendant is older.
func (t *tree) identify() {
	if t.start != 0 || t.released.Load() || !hasProc() {
		return
	}
	if worker, err := readEntry(t.pid); err == nil {
		t.start = worker.start
	}
}

// await returns when the worker has ended and has been reaped. What it left has been killed by then, while the worker's
// number is still its own, or is spared.
func (t *tree) await() {
	awaitExit(t.pid)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.sparing() {
		t.killAll()
	} else if _, missed := t.look(); missed >= short {
		t.killAll()
	}
	t.released.Store(true)
	_ = t.cmd.Wait() // the state that it leaves says more than its error
}

// terminate asks all of the tree to end, and spares for the time of grace what outlives the worker.
func (t *tree) terminate(grace time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.released.Load() {
		return
	}
	t.spared = time.Now().Add(grace)
	members, _ := t.look() // without them there is still the group
	t.signalAll(members, syscall.SIGTERM)
}

// kill ends all of the tree, whether or not the worker still lives.
func (t *tree) kill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urgent = true
	t.killAll()
}

// clear is called after await. It returns when nothing of the tree is left that can be found and can be killed.
func (t *tree) clear() {
	pause := time.Millisecond
	for looks := 1; ; looks++ {
		spared, more := t.sweep()
		switch {
		case spared:
			looks = 0
		case looks > more:
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// hangLooks take clear more than two seconds. Then what is left hangs in the kernel, or is another user's.
const hangLooks = 45

// worth is how many looks more a doubt is worth. They are counted, not timed: the less the machine gets done meanwhile, the
// longer it takes others to get on.
var worth = [...]int{sure: 0, ended: 4, starting: hangLooks, short: hangLooks, blind: 0}

// sweep kills what is left, unless it is spared, and tells how many more looks may be worth it.
func (t *tree) sweep() (spared bool, looks int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sparing() && t.anySeen() {
		return true, 0
	}
	left, missed := t.look()
	switch {
	case len(left) == 0:
		return false, worth[missed]
	case t.sparing():
		return true, 0
	default:
		t.killAll()
		return false, hangLooks
	}
}

// anySeen is cheaper than a look.
func (t *tree) anySeen() bool {
	for pid, start := range t.seen {
		if e, err := readEntry(pid); err == nil && e.start == start && !e.dead() {
			return true
		}
	}
	return false
}

func (t *tree) sparing() bool { return !t.urgent && time.Now().Before(t.spared) }

// reapOrphans reaps the descendants that this program has inherited and that have ended.
func (t *tree) reapOrphans() {
	if !inherits() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.look()
}

func (t *tree) killAll() { t.signalAll(t.freeze(), syscall.SIGKILL) }

// freezeRounds is far more than it takes, unless something can't be stopped.
const freezeRounds = 5

// freeze stops all of the tree and returns it. What is stopped can't fork, nor end and leave children that nobody knows.
// (Should this program itself be killed in these milliseconds, it stays stopped.)
func (t *tree) freeze() []entry {
	var members []entry
	for range freezeRounds {
		found, missed := t.look()
		if missed >= short {
			break // there is still the group
		}
		members = found
		moving := slices.DeleteFunc(slices.Clone(found), func(e entry) bool { return e.stopped() || e.dead() })
		if len(moving) == 0 {
			break
		}
		t.signalAll(moving, syscall.SIGSTOP)
	}
	return members
}

// signalAll reaches the group in one go, and last: a group whose leader dies may be woken by the kernel.
func (t *tree) signalAll(members []entry, signal syscall.Signal) {
	released := t.released.Load()
	for _, member := range members {
		if released || member.group != t.pid {
			member.signal(signal)
		}
	}
	if !released {
		signalGroup(t.pid, signal)
	}
}

// look returns the members of the tree that have not ended, the worker among them, and reaps those that have and that this
// program inherited.
func (t *tree) look() (left []entry, missed doubt) {
	t.identify()
	if t.start == 0 {
		return nil, blind
	}
	table, missed := readTable(t.start)
	if missed >= short {
		return nil, missed
	}
	heir := inherits()
	if !heir {
		table = t.withoutOthers(table)
	}
	members, overlooked := t.members(table)
	if missed = max(missed, overlooked); missed >= short {
		return nil, missed
	}
	t.seen = make(map[int]int64, len(members))
	for _, member := range members {
		worker := member.pid == t.pid && !t.released.Load()
		if member.dead() && (worker || heir && reap(member)) {
			continue
		}
		t.seen[member.pid] = member.start
		if !member.dead() || heir { // else its parent, or init, reaps it
			left = append(left, member)
		}
	}
	return left, missed
}

// rss is the worker's resident memory.
func (t *tree) rss() (bytes int64, ok bool) {
	if !hasProc() {
		return 0, false
	}
	var room [256]byte
	statm, err := readProc(t.pid, "statm", room[:])
	fields := strings.Fields(string(statm))
	if err != nil || len(fields) < 2 || t.released.Load() {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil && pages > 0 // none: it has ended
}

// stopped tells whether the worker is.
func (t *tree) stopped() bool {
	worker, err := readEntry(t.pid)
	return err == nil && worker.stopped() && !t.released.Load() && hasProc()
}
