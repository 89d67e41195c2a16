package main

import (
	"errors"
	"math/rand/v2"
	"slices"

	"rootbridge"
)

// fault is something that can go wrong, or be asked for, while calls are made.
type fault struct {
	name     string
	weight   int
	gentle   bool              // no call may fail of it, but for want of time
	slow     bool              // it takes too long for a quick trial
	memory   bool              // it needs Options.MaxRSS
	reloads  bool              // it takes its turn with others that reload
	explains []rootbridge.Code // what calls may end with while it lasts, and until the pool has recovered

	// inject does it, and returns when it has ended. It fails where it could not be done.
	inject func(l *life, random *rand.Rand) error
}

// fits tells whether a fault may be drawn for a storm.
func (f *fault) fits(options rootbridge.Options, s *storm) bool {
	switch {
	case s.weather == gentle && !f.gentle,
		s.scale == short && f.slow,
		f.memory && options.MaxRSS == 0,
		f.reloads && s.count(func(f *fault) bool { return f.reloads }) >= mostReloads:
		return false
	}
	return true
}

// mostReloads bounds the faults of a storm that would wait for each other.
const mostReloads = 4

// unableError means that a fault can't be injected on this machine.
type unableError struct{ reason string }

func (e *unableError) Error() string { return e.reason }

var errNoWorker = errors.New("there is no worker")

var (
	// unready is what a reload may end with when the worker's file is taken away while Node starts.
	unready = []rootbridge.Code{rootbridge.CodeBootFailed}
	// late is what calls may end with when a worker is slow.
	late = []rootbridge.Code{rootbridge.CodeDeadlineExceeded, rootbridge.CodeQueueTimeout}
	// outage is what calls may end with when there is no worker.
	outage = []rootbridge.Code{rootbridge.CodeWorkerUnavailable, rootbridge.CodeQueueTimeout, rootbridge.CodeOverloaded, rootbridge.CodeBootFailed}
	// death is what calls may end with when a worker dies, perhaps the last one.
	death = append([]rootbridge.Code{rootbridge.CodeWorkerCrashed}, outage...)
	// stuck is what calls may end with when a worker hears nothing until it is killed.
	stuck = append(slices.Clone(death), late...)
	// broken is what calls may end with when a worker's pipes are broken.
	broken = append(slices.Clone(stuck), rootbridge.CodeProtocolError)
)

// faults is the table. Weights are shares of the sum of those that fit.
var faults = []*fault{
	{name: "SIGKILL to a worker", weight: 12, explains: death, inject: signalWorker(sigKill)},
	{name: "SIGTERM to a worker", weight: 6, explains: death, inject: signalWorker(sigTerm)},
	{name: "SIGUSR2 to a worker", weight: 12, gentle: true, inject: signalWorker(sigAsk)},
	{name: "SIGUSR2 to the host", weight: 8, gentle: true, reloads: true, inject: askHost},
	{name: "SIGSTOP, then SIGCONT", weight: 8, explains: stuck, inject: freeze(500, 5000)},
	{name: "short SIGSTOP, SIGCONT", weight: 6, gentle: true, inject: freeze(10, 400)},
	{name: "machine paused", weight: 1, gentle: true, slow: true, explains: late, inject: pauseMachine},

	{name: "process.exit in a call", weight: 8, explains: death, inject: exitInCall},
	{name: "uncaught exception", weight: 8, explains: death, inject: dieLater("throwLater")},
	{name: "unhandled rejection", weight: 8, explains: death, inject: dieLater("rejectLater")},
	{name: "heap full", weight: 4, explains: stuck, inject: fillHeap},
	{name: "memory over MaxRSS", weight: 4, gentle: true, memory: true, inject: fillMemory(enough * 3 / 4)},
	{name: "memory over 2 MaxRSS", weight: 4, memory: true, explains: death, inject: fillMemory(2*enough, rootbridge.CodeWorkerCrashed)},
	{name: "endless loop", weight: 6, explains: stuck, inject: loop},
	{name: "blocked event loop", weight: 6, gentle: true, inject: block},
	{name: "call that never ends", weight: 6, gentle: true, explains: late, inject: never},
	{name: "flood of log lines", weight: 4, gentle: true, inject: flood},
	{name: "worker closes its stdin", weight: 4, explains: broken, inject: deafen},
	{name: "process left by a call", weight: 6, gentle: true, inject: leave},

	{name: "new code", weight: 8, gentle: true, reloads: true, inject: deploy},
	{name: "broken, then good code", weight: 8, gentle: true, reloads: true, inject: spoil},
	{name: "code that never loads", weight: 1, gentle: true, slow: true, reloads: true, inject: hang},
	{name: "many reloads at once", weight: 4, gentle: true, reloads: true, inject: reloadMany},

	{name: "cache disk full", weight: 4, gentle: true, explains: unready, inject: fillDisk},
	{name: "cache not writable", weight: 4, gentle: true, explains: unready, inject: blockCache},
	{name: "no file descriptors", weight: 6, explains: outage, inject: takeDescriptors},
	{name: "no processes", weight: 4, explains: outage, inject: takeProcesses},

	{name: "too many calls", weight: 4, explains: append(slices.Clone(late), rootbridge.CodeOverloaded), inject: burst},
	{name: "worker that does not read", weight: 4, explains: stuck, inject: clog},
	{name: "many short deadlines", weight: 6, gentle: true, inject: hurryMany},
	{name: "many cancelled contexts", weight: 6, gentle: true, inject: cancelMany},
	{name: "no calls for a while", weight: 4, gentle: true, inject: lull},
}
