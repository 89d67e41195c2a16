package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAChoiceOfWhichNothingWouldBeMeasuredIsRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]runCommand{
		`--contenders: expected patterns for rootbridge, rootbridge-waits`:   {Contenders: []string{"rootbridge", "rotbridge"}},
		`expected --rounds and --duration not to be negative, got -3 and 0s`: {Rounds: -3},
		`expected --rounds and --duration not to be negative, got 0 and -1s`: {Duration: -time.Second},
		`got "echo-100b"`: {Works: []string{"echo-100b"}},
		`--callers: expected numbers of [1 16 64 256], got 2`: {Callers: []int{2}},
		`choose others, or --full, which has more of them`:    {Works: []string{"echo-1MiB"}, Callers: []int{16}},
		`none of these contenders does any of these works`:    {Works: []string{"bytes-*"}, Contenders: []string{"goja"}},
	} {
		if _, err := c.session(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, expected %q", c, err, want)
		}
	}
}

func TestIdlingIsMeasuredWithRootbridgeOnly(t *testing.T) {
	t.Parallel()
	for contenders, want := range map[string]time.Duration{"": quick().Idle, "rootbridge": quick().Idle, "rootbridge-waits": 0, "node-http": 0} {
		c := runCommand{Contenders: strings.Fields(contenders)}
		s, err := c.session()
		if err != nil || s.Idle != want {
			t.Errorf("contenders %q: got %v and %v, expected %v", contenders, s.Idle, err, want)
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

// TestMain lets the test's program be the command, as sessions start it for each contender.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestEachRoundHasAProcessOfItsOwnWhereItShall(t *testing.T) {
	t.Parallel()
	const rounds = 3
	for anew, want := range map[bool]int{false: 1, true: rounds} {
		s := &session{
			plan:  plan{Rounds: rounds, Anew: anew, Duration: time.Millisecond, Works: map[int][]string{1: {"check"}}},
			names: []string{"goja"}, progress: io.Discard, steps: io.Discard,
		}
		pids := map[int]bool{}
		err := s.calls(t.Context(), func(cells []cell) error {
			for _, round := range cells[0].Rounds {
				pids[round.PID] = true
			}
			return nil
		})
		if err != nil || len(pids) != want {
			t.Errorf("anew %v: the rounds are of %d processes, expected %d; %v", anew, len(pids), want, err)
		}
	}
}

func TestWhatWasMeasuredBeforeAFailureIsKept(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "results.json")
	c := runCommand{Works: []string{"validate"}, Contenders: []string{"goja"}, Duration: time.Millisecond, Calls: true, Out: out}
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	keep := s.keep
	s.keep = func(r results) error {
		if len(r.Cells) > 0 {
			cancel()
		}
		return keep(r)
	}
	s.Works[64] = []string{"validate"}
	r, err := s.run(ctx)
	if err == nil || len(r.Cells) == 0 {
		t.Fatalf("got %d cells and %v, expected some and an error", len(r.Cells), err)
	}
	if text, err := os.ReadFile(out + ".partial"); err != nil || !strings.Contains(string(text), "goja") {
		t.Errorf("got %s, %v", text, err)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part is taken for the whole: %v", err)
	}
}

func TestWhatNoFileCanReplaceIsRefusedBeforeAnythingIsMeasured(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	socket := filepath.Join(folder, "socket")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, out := range []string{folder, socket} {
		c := runCommand{Works: []string{"validate"}, Contenders: []string{"goja"}, Rounds: 1, Duration: time.Millisecond, Calls: true, Out: out}
		if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--out: expected the name of a file") {
			t.Errorf("%s: got %v", out, err)
		}
		if _, err := os.Stat(out + ".partial"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it was measured: %v", err)
		}
	}
}

func TestAnInterruptedRunSaysWhereItsFiguresAre(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "results.json")
	c := runCommand{Works: []string{"validate"}, Contenders: []string{"goja"}, Duration: time.Millisecond, Calls: true, Out: out}
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	keep := s.keep
	s.keep = func(r results) error {
		if len(r.Cells) > 0 {
			cancel(&interruption{})
		}
		return keep(r)
	}
	s.Works[64] = []string{"validate"}
	r, err := s.run(ctx)
	err = c.finish(r, interruptionOr(ctx, err))
	if want := "interrupted; what was measured until then is in " + out + ".partial"; err == nil || err.Error() != want {
		t.Errorf("got %v, expected %s", err, want)
	}
}

func TestFiguresThatComeWhileAllEndAreNotKept(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &session{plan: plan{Works: map[int][]string{1: {"check"}}}, progress: io.Discard}
	cells := []cell{{Contender: "goja", Work: "check", Callers: 1}}
	goja := &child{in: struct {
		io.Writer
		io.Closer
	}{io.Discard, nil}, answers: json.NewDecoder(strings.NewReader(`{"calls":1}`))}
	err := s.round(ctx, 0, map[string]*child{"goja": goja}, cells, 1)
	if !errors.Is(err, context.Canceled) || len(cells[0].Rounds) > 0 {
		t.Errorf("got %v and %v", cells[0].Rounds, err)
	}
}

func TestARunThatWasInterruptedAtOnceLeavesTheFiguresOfAnother(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interruption{})
	out := filepath.Join(t.TempDir(), "results.json")
	c := runCommand{Calls: true, Out: out}
	for _, text := range []string{"", "figures"} {
		if text != "" {
			if err := os.WriteFile(out+".partial", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Run(ctx); err == nil || err.Error() != "interrupted" {
			t.Errorf("got %v", err)
		}
		if got, err := os.ReadFile(out + ".partial"); string(got) != text || (err == nil) != (text != "") {
			t.Errorf("got %s and %v, expected %q", got, err, text)
		}
	}
}

func TestAnInterruptedGuardTellsThatAlone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interruption{})
	if err := (guardCommand{}).Run(ctx); err == nil || err.Error() != "interrupted" {
		t.Errorf("got %v", err)
	}
}

func TestAnInterruptionEndsAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := pause(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
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
