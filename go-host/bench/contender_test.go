package main

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
				for _, v := range w.values()[:min(2, len(w.values()))] {
					out := w.out()
					if err := c.Call(t.Context(), done%callers, w.method, v.in, out); err != nil {
						t.Fatalf("%s: %v", w.name, err)
					}
					if err := w.check(out, v.want); err != nil {
						t.Error(err)
					}
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
		if err := w.check(w.out(), w.values()[0].want); err == nil {
			t.Errorf("%s takes an empty result", w.name)
		}
	}
}

func TestAnAnswerThatIsAnotherCallersIsNoticed(t *testing.T) {
	t.Parallel()
	for _, w := range works {
		if len(w.values()) == 1 || w.method == "check" || w.method == "validate" { // whose results are all the same
			continue
		}
		for caller := 1; caller < 256; caller++ {
			if err := w.check(w.value(0, 1).want, w.value(caller, 1).want); err == nil {
				t.Fatalf("%s takes the answer of caller 0 for that of caller %d", w.name, caller)
			}
		}
	}
}

// Not in parallel with others: what the whole program allocates is counted.
func TestALibraryThatRemembersTextsGainsNothingByIt(t *testing.T) {
	for _, name := range []string{"echo-100B", "echo-2KB"} {
		w, err := workOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if first, again := decodingAllocs(t, w); again < 0.99*first {
			t.Errorf("%s: %.2f allocations for a result the first time, %.2f when it comes again", name, first, again)
		}
	}
}

// decodingAllocs are those of a result when all values of a work are decoded in turn, and then once more. One decoder does
// it: of those that the library keeps in a sync.Pool the race detector drops a quarter, chosen at random, with all that
// they remember.
func decodingAllocs(t *testing.T, w *work) (first, again float64) {
	t.Helper()
	texts := encodedValues(t, v1JSON, w)
	if err := v1JSON.decode(texts[0], w.out()); err != nil { // which makes what the library keeps for a type
		t.Fatal(err)
	}
	text := bytes.NewReader(nil)
	decoder := jsontext.NewDecoder(text, v1)
	decodeAll := func() float64 {
		before := allocations()
		for i := range texts {
			text.Reset(texts[i])
			decoder.Reset(text, v1)
			if err := jsonv2.UnmarshalDecode(decoder, w.out()); err != nil {
				t.Fatal(err)
			}
		}
		return float64(allocations()-before) / float64(len(texts))
	}
	return decodeAll(), decodeAll()
}

func encodedValues(t testing.TB, l library, w *work) [][]byte {
	t.Helper()
	texts := make([][]byte, len(w.values()))
	for i, v := range w.values() {
		var err error
		if texts[i], err = l.encode(v.in); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func TestOneWrongByteIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bytes-1MiB", "passed-2KB"} {
		w, err := workOf(name)
		if err != nil {
			t.Fatal(err)
		}
		want := w.values()[0].want
		wrong := slices.Clone(reflect.ValueOf(want).Elem().Bytes())
		wrong[len(wrong)-1]++
		out := w.out()
		reflect.ValueOf(out).Elem().SetBytes(wrong)
		if err := w.check(out, want); err == nil {
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
		for i, v := range w.values() {
			if got := sizeOf(t, v.in); got < want || got > want+want/100 {
				t.Errorf("%s has %d bytes in value %d", name, got, i)
			}
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
