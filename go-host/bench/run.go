package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// results are a file of figures.
type results struct {
	Machine machine     `json:"machine"`
	Plan    plan        `json:"plan"`
	Cells   []cell      `json:"cells"`
	Cold    []coldStart `json:"cold"`
	Idle    idle        `json:"idle"`
}

// cell is one work by one contender with so many callers, over all rounds.
type cell struct {
	Contender string    `json:"contender"`
	Work      string    `json:"work"`
	Callers   int       `json:"callers"`
	Rounds    []figures `json:"rounds"`
}

// session is what one run of this program measures.
type session struct {
	plan
	names    []string            // of contenders
	wants    func(cell) bool     // of what they can do; nil for all
	profiles string              // folder, or ""
	progress io.Writer           // of what is being measured, each over the last
	steps    io.Writer           // a line for each part
	keep     func(results) error // is given what there is so far, from time to time
}

// run measures all of a plan. Contenders take turns within each round, in an order that changes, so that what else the
// machine does meets all of them. With an error it returns what it has until then.
func (s *session) run(ctx context.Context) (results, error) {
	r := results{Plan: s.plan}
	var err error
	if r.Machine, err = thisMachine(ctx); err != nil {
		return r, err
	}
	err = s.calls(ctx, func(cells []cell) error {
		r.Cells = append(r.Cells, cells...)
		return s.keep(r)
	})
	if err != nil {
		return r, err
	}
	if r.Cold, err = s.coldStarts(ctx); err != nil || s.Idle == 0 {
		return r, err
	}
	fmt.Fprint(s.progress, "idle")
	fmt.Fprintf(s.steps, "idle for %v\n", s.Idle)
	r.Idle, err = idleInChild(ctx, s.Idle)
	fmt.Fprint(s.progress, clearLine)
	return r, err
}

// calls measures all cells, and tells take of them: of all that have as many callers, or of what there is when it fails.
func (s *session) calls(ctx context.Context, take func([]cell) error) error {
	defer fmt.Fprint(s.progress, clearLine)
	for _, callers := range s.callerCounts() {
		cells := s.cells(callers)
		fmt.Fprintf(s.steps, "%s: %d contenders and works, %d rounds\n", callersText(callers), len(cells), s.Rounds)
		err := s.measure(ctx, cells, callers)
		cells = slices.DeleteFunc(cells, func(c cell) bool { return len(c.Rounds) == 0 })
		if err := errors.Join(err, take(cells)); err != nil {
			return err
		}
	}
	return nil
}

// measure does all rounds with so many callers.
func (s *session) measure(ctx context.Context, cells []cell, callers int) error {
	together := s.Rounds
	if s.Anew {
		together = 1
	}
	for round := 0; round < s.Rounds; round += together {
		if err := s.rounds(ctx, round, together, cells, callers); err != nil {
			return err
		}
	}
	return nil
}

// rounds does so many from this one on in the same processes.
func (s *session) rounds(ctx context.Context, first, number int, cells []cell, callers int) (err error) {
	children := map[string]*child{}
	defer func() {
		for _, c := range children {
			err = errors.Join(err, c.close())
		}
	}()
	for _, c := range cells {
		if children[c.Contender] != nil {
			continue
		}
		started, err := startChild(ctx, c.Contender, callers, s.profiles)
		if err != nil {
			return err
		}
		children[c.Contender] = started
	}
	for round := first; round < first+number; round++ {
		if err := s.round(ctx, round, children, cells, callers); err != nil {
			return err
		}
	}
	return nil
}

// round measures each cell once.
func (s *session) round(ctx context.Context, round int, children map[string]*child, cells []cell, callers int) error {
	for _, name := range s.Works[callers] {
		fmt.Fprintf(s.progress, "\r%3d callers, round %d of %d, %-12s", callers, round+1, s.Rounds, name)
		for _, i := range rand.Perm(len(cells)) {
			c := &cells[i]
			if c.Work != name {
				continue
			}
			f, err := children[c.Contender].measure(task{name, s.Duration})
			if err := errors.Join(err, ctx.Err()); err != nil { // while all of them end figures are no good
				return fmt.Errorf("%s, %s, %s: %w", c.Contender, name, callersText(callers), err)
			}
			c.Rounds = append(c.Rounds, f)
		}
	}
	return nil
}

var clearLine = "\r" + strings.Repeat(" ", 60) + "\r"

// cells are those that contenders can do.
func (s *session) cells(callers int) []cell {
	var cells []cell
	for _, m := range makers {
		if list := s.contenders[callers]; list != nil && !slices.Contains(list, m.name) {
			continue
		}
		for _, w := range works {
			c := cell{Contender: m.name, Work: w.name, Callers: callers}
			if slices.Contains(s.names, m.name) && slices.Contains(s.Works[callers], w.name) && m.can(w, callers) && (s.wants == nil || s.wants(c)) {
				cells = append(cells, c)
			}
		}
	}
	return cells
}
