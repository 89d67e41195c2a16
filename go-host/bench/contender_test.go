package main

import (
	"reflect"
	"slices"
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

func TestOneWrongByteIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bytes-1MiB", "passed-2KB"} {
		w, err := workOf(name)
		if err != nil {
			t.Fatal(err)
		}
		value := reflect.ValueOf(w.want).Elem()
		wrong := slices.Clone(value.Bytes())
		wrong[len(wrong)-1]++
		out := w.out()
		reflect.ValueOf(out).Elem().SetBytes(wrong)
		if err := w.check(out); err == nil {
			t.Errorf("%s takes another last byte", name)
		}
	}
}

func TestAWorkIsAsLargeAsItsNameSays(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"echo-100B": 100, "echo-2KB": 2_000, "echo-1MiB": 1 << 20, "blob-64KiB": 64 << 10,
		"bytes-100B": 100, "bytes-2KB": 2_000, "bytes-1MiB": 1 << 20, "passed-2KB": 2_000,
	} {
		w, err := workOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sizeOf(t, w.in); got < want || got > want+want/100 {
			t.Errorf("%s has %d bytes", name, got)
		}
	}
}

func sizeOf(t *testing.T, in any) int {
	t.Helper()
	if b, ok := in.(*blob); ok {
		return len(b.Data)
	}
	text, err := standardJSON.encode(in)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}
