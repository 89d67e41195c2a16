package main

import (
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestAShortSoakMakesAllItsCalls(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("what this process uses is read from /proc")
	}
	var out strings.Builder
	s := &soak{calls: 3000, callers: 16, out: &out}
	err := s.run(t.Context())
	t.Log(out.String())
	if s.failure != nil || s.made.Load() != 3000 || strings.Count(out.String(), "\n") != 1+rows+3 {
		t.Errorf("made %d calls: %v, %v", s.made.Load(), s.failure, err)
	}
}

func TestWhatGrowsToTheEndIsNotFlat(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at   func(i int64) use
		flat bool
	}{
		"nothing grows":         {func(int64) use { return use{100 << 20, 30, 50} }, true},
		"the beginning grows":   {func(i int64) use { return use{min(i, 20) << 22, min(i, 20), min(i, 20)} }, true},
		"one sample is large":   {func(i int64) use { return use{100<<20 + i/59<<30, 30, 50} }, true},
		"memory grows":          {func(i int64) use { return use{100<<20 + i<<20, 30, 50} }, false},
		"descriptors are left":  {func(i int64) use { return use{100 << 20, 30 + i, 50} }, false},
		"goroutines are left":   {func(i int64) use { return use{100 << 20, 30, 50 + i} }, false},
		"a little memory grows": {func(i int64) use { return use{100<<20 + i<<16, 30, 50} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var u usage
			for i := range int64(samples) {
				u = append(u, test.at(i))
			}
			if err := u.isFlat(io.Discard); (err == nil) != test.flat {
				t.Errorf("got %v", err)
			}
		})
	}
}
