package process

import (
	"os"
	"syscall"
	"time"
)

// heir reaps what a program inherits as process 1 of a container and no tree recognizes: what has left its worker's session
// and began and ended between two looks. A child that somebody here has started and will wait for is in this program's own
// session, as workers are, or is waited for within reapInterval.
//
// Law: one goroutine uses it.
type heir struct {
	looks   <-chan time.Time // nil in any other program
	ticker  *time.Ticker
	session int
	dead    map[int]int64 // pid and start of those that the last look found
}

// reapInterval is how long a child has been dead, at least, when it is reaped.
const reapInterval = time.Second

func newHeir() *heir {
	self, err := readEntry(os.Getpid())
	if os.Getpid() != 1 || err != nil || !hasProc() {
		return &heir{}
	}
	ticker := time.NewTicker(reapInterval)
	return &heir{looks: ticker.C, ticker: ticker, session: self.session}
}

func (h *heir) stop() {
	if h.ticker != nil {
		h.ticker.Stop()
	}
}

// reap waits for the children that two looks in a row have found dead.
func (h *heir) reap() {
	table, missed := readTable(0)
	if missed >= short {
		return
	}
	dead := map[int]int64{}
	for _, e := range table {
		if e.parent != 1 || !e.dead() || e.session == h.session {
			continue
		}
		if start, again := h.dead[e.pid]; again && start == e.start {
			_, _ = syscall.Wait4(e.pid, nil, syscall.WNOHANG, nil)
			continue
		}
		dead[e.pid] = e.start
	}
	h.dead = dead
}
