package rootbridge

import (
	"fmt"
	"sync"
	"time"
)

// probe finds out whether a worker's event loop turns: at each heartbeat, when a call on it is overdue, and when one was
// canceled. A loop that does not turn for Options.KillGrace gets no further calls until it does. It is killed if a call on it
// is overdue, or if nobody waits for those that it runs; and one that runs none after Options.CallTimeout.
//
// Law: mu guards all fields.
type probe struct {
	mu       sync.Mutex
	timer    *time.Timer // nil while nothing is asked
	looks    uint64      // timers that were set so far: one that has fired may be too late to be stopped
	due      time.Time   // when the timer is to fire
	left     int         // looks to go until the worker is judged
	answered uint64      // calls answered when the timer was set
	graces   int         // that have passed without an answer
	pings    uint64      // sent so far; each is answered once, in order
	pongs    uint64
	answer   uint64 // the pong that answers what is asked
	paused   bool   // the worker gets no new calls until it answers
	overdue  bool   // the call named here is
	method   string
	traceID  string
}

// ask looks, at a heartbeat, whether the loop turns. The worker goes on taking calls meanwhile.
func (w *worker) ask() {
	w.conn.AskStats()
	w.look()
}

// look asks for a sign of life, unless that is under way.
func (w *worker) look() {
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	if w.probe.timer == nil && !w.hasExited() {
		w.askLocked()
	}
}

// suspect is called for a call that became overdue. Until it is known whether the loop turns the worker gets no new calls.
func (w *worker) suspect(method, traceID string) {
	if w.inspector != "" {
		return
	}
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	if w.probe.overdue || w.hasExited() {
		return
	}
	if w.probe.timer != nil {
		w.probe.timer.Stop()
	}
	w.probe.overdue, w.probe.method, w.probe.traceID = true, method, traceID
	w.pauseLocked()
	w.askLocked()
	w.host.options.Logger.Debug("worker takes no calls until it shows that its event loop turns: a call is overdue",
		"worker", w.pid(), "method", method, "trace_id", traceID)
}

// doubt is called for a call that was canceled, whose function may go on for ever.
func (w *worker) doubt() {
	if w.inspector != "" {
		return
	}
	w.look()
	time.AfterFunc(w.host.options.KillGrace, w.replaceIfClogged)
}

func (w *worker) askLocked() {
	w.probe.pings++
	w.probe.answer, w.probe.graces = w.probe.pings, 0
	w.graceLocked()
	w.conn.Ping()
}

// graceLooks is in how many looks a loop's grace passes: a pause of the whole machine, however long, counts as none.
const graceLooks = 8

// graceLocked gives the loop KillGrace from now on.
func (w *worker) graceLocked() {
	w.probe.left = graceLooks
	w.waitLocked()
}

// waitLocked gives the loop until the next look.
func (w *worker) waitLocked() {
	next := w.lookTime()
	w.probe.answered, w.probe.due = w.conn.Answered(), time.Now().Add(next)
	w.probe.looks++
	look := w.probe.looks
	w.probe.timer = time.AfterFunc(next, func() { w.judge(look) })
}

// shortLook is a time within which timers may be late without any pause of the machine.
const shortLook = 5 * time.Millisecond

func (w *worker) lookTime() time.Duration { return max(shortLook, w.host.options.KillGrace/graceLooks) }

func (w *worker) pauseLocked() {
	if !w.probe.paused {
		w.probe.paused = true
		w.host.pool.Pause(w.slot)
	}
}

// alive takes a pong. Abandoned calls get as long as a blocked loop would to end by themselves.
func (w *worker) alive() {
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	w.probe.pongs++
	if w.probe.timer == nil || w.probe.pongs < w.probe.answer {
		return
	}
	w.probe.timer.Stop()
	w.probe.timer = nil
	if w.probe.paused {
		w.probe.paused = false
		w.host.pool.Resume(w.slot)
		w.host.options.Logger.Debug("worker takes calls again", "worker", w.pid())
	}
	if w.probe.overdue {
		w.probe.overdue = false
		time.AfterFunc(w.host.options.KillGrace, w.replaceIfClogged)
	}
}

// finding is what a probe found after KillGrace without an answer.
type finding int

const (
	nothing finding = iota // it is too early to tell
	waiting                // blocked, by calls that still have time or by code that no call runs
	stopped                // a signal or a debugger has stopped the process
	stuck                  // blocked, and nothing is lost with it
)

// judge is called when no answer has come in time for a look.
func (w *worker) judge(look uint64) {
	found, was := w.find(look)
	switch found {
	case waiting:
		w.host.options.Logger.Warn("a worker's event loop is blocked, it takes no calls until it turns again",
			"worker", w.pid(), "kill_grace", w.host.options.KillGrace)
	case stopped:
		w.host.supervisor.Leave(w, reasonStopped)
	case stuck:
		w.killBlocked(was)
	case nothing:
	}
}

// find says what is to be done, once for each look that is the last one.
func (w *worker) find(look uint64) (found finding, was *probe) {
	w.probe.mu.Lock()
	defer w.probe.mu.Unlock()
	p := &w.probe
	if p.timer == nil || p.looks != look || w.hasExited() {
		return nothing, nil
	}
	isLate := time.Since(p.due) > w.lookTime() // this process was stopped itself, and the worker perhaps, too
	isBusy := w.conn.Answered() != p.answered  // many calls, none of them endless; what a loop prints says nothing
	switch wasPaused := p.paused; {
	case isBusy:
		w.graceLocked()
		return nothing, nil
	case isLate:
		w.waitLocked()
		return nothing, nil
	case p.left > 1:
		p.left--
		w.waitLocked()
		return nothing, nil
	case w.process.Stopped():
		w.pauseLocked()
		w.graceLocked()
		return stopped, nil
	case w.isLostLocked():
		return stuck, &probe{overdue: p.overdue, method: p.method, traceID: p.traceID}
	default:
		p.graces++
		w.pauseLocked()
		w.graceLocked()
		if wasPaused {
			return nothing, nil
		}
		return waiting, nil
	}
}

// isLostLocked tells whether a loop that did not turn for KillGrace should end. Code that no call runs, such as a cache that
// is filled, may block for as long as a call may take.
func (w *worker) isLostLocked() bool {
	waiting, abandoned := w.conn.InFlight()
	switch {
	case w.probe.overdue:
		return true
	case waiting > 0:
		return false
	case abandoned > 0:
		return true
	default:
		most := w.host.options.CallTimeout
		return most >= 0 && w.probe.graces >= int(most/w.host.options.KillGrace)
	}
}

func (w *worker) killBlocked(was *probe) {
	grace := w.host.options.KillGrace
	why := "nobody waited for a call on it"
	if was.overdue {
		why = fmt.Sprintf("a call of %q on it was overdue", was.method)
	}
	w.host.options.Logger.Warn("killing a worker whose event loop is blocked",
		"worker", w.pid(), "method", was.method, "trace_id", was.traceID, "kill_grace", grace)
	w.kill(&Error{
		Code: CodeWorkerCrashed,
		Message: fmt.Sprintf("the worker was killed: %s and its event loop was blocked for %v (Options.KillGrace); "+
			"the function may have run", why, grace),
	})
}

// replaceIfClogged replaces a worker when half of its slots or more hold abandoned calls.
func (w *worker) replaceIfClogged() {
	if _, abandoned := w.conn.InFlight(); 2*abandoned >= w.host.options.Concurrency {
		w.host.supervisor.Replace(w, reasonAbandoned)
	}
}

func (w *worker) hasExited() bool {
	select {
	case <-w.process.Exited():
		return true
	default:
		return false
	}
}
