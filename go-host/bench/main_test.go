package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAChoiceOfWhichNothingWouldBeMeasuredIsRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]runCommand{
		`--contenders: expected patterns for rootbridge, rootbridge-waits`: {Contenders: []string{"rootbridge", "rotbridge"}},
		`expected --rounds and --duration above 0, got -3 and 0s`:          {Rounds: -3},
		`expected --rounds and --duration above 0, got 0 and -1s`:          {Duration: -time.Second},
		`got "echo-100b"`: {Works: []string{"echo-100b"}},
		`--callers: expected numbers of [1 16 64 256], got 2`: {Callers: []int{2}},
		`choose others, or --full, which has more of them`:    {Works: []string{"echo-1MiB"}, Callers: []int{1}},
		`none of these contenders does any of these works`:    {Works: []string{"bytes-*"}, Contenders: []string{"goja"}},
	} {
		if _, err := c.session(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, expected %q", c, err, want)
		}
	}
}

func TestWhatHasGoalsIsMeasuredByTheContendersThatHaveThem(t *testing.T) {
	t.Parallel()
	c := runCommand{Goals: true}
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	for callers, list := range goals().contenders {
		measured := map[string]bool{}
		for _, cell := range s.cells(callers) {
			measured[cell.Contender] = true
		}
		if len(measured) != len(list) {
			t.Errorf("%d callers: %v are measured, expected %v", callers, measured, list)
		}
	}
}

func TestPatternsChooseWorksAndContenders(t *testing.T) {
	t.Parallel()
	c := runCommand{Works: []string{"bytes-*", "echo-100B"}, Contenders: []string{"bare*"}, Callers: []int{64}}
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Works[64], []string{"echo-100B", "bytes-100B", "bytes-2KB", "bytes-1MiB"}; !slices.Equal(got, want) || len(s.Works) != 1 {
		t.Errorf("got works %v, expected %v", s.Works, want)
	}
	if slices.Contains(s.names, "rootbridge") || !slices.Contains(s.names, "bare-call") {
		t.Errorf("got contenders %v", s.names)
	}
}
