package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"rootbridge"
)

// plan is everything about one host's life that a seed decides: what it is told, and which faults come in which order.
type plan struct {
	options  rootbridge.Options
	layout   layout
	slowLog  time.Duration
	callers  int
	start    start
	ending   ending
	episodes []storm
	last     storm // in which the host is closed
}

// storm is a row of faults.
type storm struct {
	weather weather
	scale   scale
	steps   []step
}

// weather is how bad a storm is.
type weather string

const (
	gentle weather = "gentle" // no call may fail of it
	rough  weather = "rough"
)

// scale is how much time there is.
type scale string

const (
	short scale = "short" // for one or two hosts in a few seconds
	long  scale = "long"
)

// count tells how many of the faults are such.
func (s *storm) count(is func(*fault) bool) (n int) {
	for _, step := range s.steps {
		if is(step.fault) {
			n++
		}
	}
	return n
}

// step is one fault. Its seed decides its details.
type step struct {
	after time.Duration // since the step before
	fault *fault
	seed  uint64
}

// start is how a host is started.
type start string

const (
	plain   start = "plain"
	hurry   start = "hurried" // with a context that ends about when the first worker is ready
	spoiled start = "spoiled" // with code that does not load
)

// ending is how a host is closed.
type ending string

const (
	byClose    ending = "Close"
	byShutdown ending = "Shutdown" // with a context that ends soon
	byMany     ending = "Closes"   // several at once
)

const (
	maxPayload  = 4 << 20
	maxInFlight = 24 << 20
	queueLimit  = 256
	// killGrace is more than a worker needs to answer, though it gets little of a busy machine's time.
	killGrace = 3 * time.Second
	// enough is memory with which no worker is replaced unless it is made to use more.
	enough = 160 << 20
)

// newPlan draws a life. The same seed gives the same plan on every machine.
func newPlan(seed uint64, life int, scale scale) plan {
	random := newRandom(seed, uint64(life)) //nolint:gosec // counts from 0
	p := plan{
		options: drawOptions(random), layout: pick(random, linked, inPlace),
		slowLog: pick(random, 0, 0, 0, 2*time.Millisecond), callers: pick(random, 8, 16, 24),
		start: plain, ending: pick(random, byClose, byClose, byShutdown, byMany),
	}
	if life > 0 { // a trial that is short should do the usual
		p.start = pick(random, plain, plain, plain, plain, plain, plain, hurry, spoiled)
	}
	weathers := pick(random, []weather{gentle, rough}, []weather{rough, gentle})
	count := 3
	if scale == long {
		count += random.IntN(3)
	}
	for i := range count {
		p.episodes = append(p.episodes, drawStorm(random, p.options, weathers[i%2], scale))
	}
	p.episodes, p.last = p.episodes[:count-1], p.episodes[count-1]
	return p
}

func newRandom(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // it must be the same each time
}

// random is one of the life's own sequences, which its seed decides.
func (l *life) random(stream int) *rand.Rand {
	return newRandom(l.trial.Seed, uint64(1000*(1+l.number)+stream)) //nolint:gosec // both count from 0
}

func pick[T any](random *rand.Rand, choices ...T) T { return choices[random.IntN(len(choices))] }

func drawOptions(random *rand.Rand) rootbridge.Options {
	workers := 1 + random.IntN(3)
	return rootbridge.Options{
		Workers:        workers,
		MinWorkers:     pick(random, 0, 0, 1, -1),
		MaxDraining:    pick(random, 0, 1),
		Concurrency:    pick(random, 2, 4, 16),
		Codec:          pick(random, rootbridge.JSON, rootbridge.MsgPack),
		QueueLimit:     queueLimit,
		QueueTimeout:   10 * time.Second,
		CallTimeout:    20 * time.Second,
		BootTimeout:    10 * time.Second,
		KillGrace:      killGrace,
		DrainTimeout:   5 * time.Second,
		Heartbeat:      pick(random, 100*time.Millisecond, 300*time.Millisecond),
		Idempotent:     []string{"again", "waitAgain"},
		MaxCalls:       pick(random, 300, 1000, 5000),
		MaxLifetime:    pick(random, 1500*time.Millisecond, 4*time.Second, 20*time.Second),
		MaxIdleTime:    pick(random, 0, 400*time.Millisecond),
		MaxHeap:        64 << 20,
		MaxRSS:         pick[int64](random, 0, enough),
		MaxPayload:     maxPayload,
		MaxInFlight:    maxInFlight,
		ReloadOnSignal: true,
		Watch:          random.IntN(4) == 0,
	}
}

// drawStorm draws faults one after the other: in a gentle storm only such as no call may fail of.
func drawStorm(random *rand.Rand, options rootbridge.Options, weather weather, scale scale) storm {
	s := storm{weather: weather, scale: scale}
	length := 2 * time.Second
	if scale == long {
		length *= 2
	}
	for at := time.Duration(0); at < length; {
		after := time.Duration(20+random.IntN(300)) * time.Millisecond
		at += after
		s.steps = append(s.steps, step{after, drawFault(random, options, &s), random.Uint64()})
	}
	return s
}

func drawFault(random *rand.Rand, options rootbridge.Options, s *storm) *fault {
	var choices []*fault
	sum := 0
	for _, f := range faults {
		if f.fits(options, s) {
			choices = append(choices, f)
			sum += f.weight
		}
	}
	at := random.IntN(sum)
	for _, f := range choices {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	panic("unreachable: the weights have changed")
}

// isPinned tells whether each generation has one version, though files change in place, while no worker dies: unless there
// may be no worker that serves until the next reload, or a reload that began by itself may be under way.
func (p *plan) isPinned() bool { return p.options.MinWorkers >= 0 && !p.options.Watch }

// describe names what matters of the plan.
func (p *plan) describe() string {
	o := p.options
	return fmt.Sprintf("code %s, started %s, ended by %s, %d callers; Workers %d, MinWorkers %d, MaxDraining %d, Concurrency %d, Codec %s, Heartbeat %v, "+
		"MaxCalls %d, MaxLifetime %v, MaxIdleTime %v, MaxRSS %d MiB, Watch %t, slow log %v",
		p.layout, p.start, p.ending, p.callers, o.Workers, o.MinWorkers, o.MaxDraining, o.Concurrency, o.Codec, o.Heartbeat,
		o.MaxCalls, o.MaxLifetime, o.MaxIdleTime, o.MaxRSS>>20, o.Watch, p.slowLog)
}
