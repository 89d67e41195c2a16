package main

import (
	"testing"
)

func TestEveryContenderDoesEachOfItsWorksRight(t *testing.T) {
	t.Parallel()
	const callers = 2
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c, err := m.start(t.Context(), callers)
			if err != nil {
				t.Fatal(err)
			}
			done := 0
			for _, w := range works {
				if !m.can(w, callers) {
					continue
				}
				out := w.out()
				if err := c.Call(t.Context(), done%callers, w.method, w.in, out); err != nil {
					t.Fatalf("%s: %v", w.name, err)
				}
				if err := w.check(out); err != nil {
					t.Error(err)
				}
				done++
			}
			if done == 0 {
				t.Error("it can do nothing")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWrongResultIsNoticed(t *testing.T) {
	t.Parallel()
	for _, w := range works {
		if err := w.check(w.out()); err == nil {
			t.Errorf("%s takes an empty result", w.name)
		}
	}
}
