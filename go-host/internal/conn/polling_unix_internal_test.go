//go:build unix

package conn

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"rootbridge/internal/frame"
)

func TestAHabitOfPollingComesWithShortWaitsAndGoesWithPollsInVain(t *testing.T) {
	t.Parallel()
	// s and l are a short and a long wait; f and v polls that found something, and that were in vain; + and - say whether it
	// polls then.
	for name, events := range map[string]string{
		"three short waits in a row":           "ss-s+",
		"a long wait begins anew":              "ss-l-ss-s+",
		"a first poll in vain":                 "sss+v-",
		"then it takes twice as many":          "sss+v-sssss-s+",
		"and twice again":                      "sss+v-ssssss+v-sssssssssss-s+",
		"few that found something":             "sss+fffffffv-sssss-s+",
		"many that found something":            "sss+ffffffffv+",
		"after which another in vain ends it":  "sss+ffffffffv+v-sssss-s+",
		"waits while others poll":              "sss+l+s+ffffffffv+",
		"one forgiven makes it begin as early": "sss+v-ssssss+ffffffffv+fv-sssss-s+",
	} {
		var h habit
		for i, event := range events {
			switch event {
			case 's', 'l':
				h.waited(event == 's')
			case 'f', 'v':
				h.polled(event == 'f')
			default:
				if h.polls != (event == '+') {
					t.Errorf("%s: after %q it is %v that it polls", name, events[:i], h.polls)
				}
			}
		}
	}
}

func TestPollsInVainNeverTakeForEverToTryAgain(t *testing.T) {
	t.Parallel()
	var h habit
	for range 20 {
		waits := 0
		for ; !h.polls; waits++ {
			h.waited(true)
		}
		if waits > maxSoon {
			t.Fatalf("it took %d short waits", waits)
		}
		h.polled(false)
	}
}

func TestNoMoreThanHalfOfTheProcessorsPollAtATime(t *testing.T) { //nolint:paralleltest // no other source may poll meanwhile
	begun := 0
	for ; mayPoll(processors()); begun++ {
	}
	if want := runtime.GOMAXPROCS(0) / 2; begun != want {
		t.Errorf("%d polled, expected %d", begun, want)
	}
	for range begun {
		donePolling()
	}
	if n := polling.Load(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestNoSourcePollsWhereWorkersNeedAllProcessors(t *testing.T) { //nolint:paralleltest // no other source may poll meanwhile
	for n, want := range map[int32]bool{0: true, 1: true, 2: true, 3: true, 4: false, 9: false} {
		working.Add(n)
		if got := mayPoll(4); got != want {
			t.Errorf("with %d workers that work: got %t", n, got)
		} else if got {
			donePolling()
		}
		working.Add(-n)
	}
}

func TestAPollEndsOnceWorkersNeedAllProcessors(t *testing.T) { //nolint:paralleltest // no other source may poll meanwhile
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	s := NewSource(r, time.Hour).(*source) //nolint:errcheck,forcetypeassert // with a poll it is one
	s.processors = 2
	if !mayPoll(s.processors) {
		t.Fatal("nothing works, and it may not poll")
	}
	defer donePolling()
	working.Add(s.processors)
	defer working.Add(-s.processors)
	if n := s.poll(make([]byte, 1), time.Now()); n != 0 {
		t.Errorf("%d bytes came", n)
	}
}

// silent takes what a connection tells and does nothing.
type silent struct{ Handler }

func (silent) Settled(*Call)    {}
func (silent) Unwritable(error) {}

func TestAWorkerWorksWhileSomebodyWaitsForItsCalls(t *testing.T) { //nolint:paralleltest // no other call may wait meanwhile
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	c := New(w, 1<<20, silent{})
	expect := func(want int32, when string) {
		t.Helper()
		if got := working.Load(); got != want {
			t.Errorf("%s: %d work, expected %d", when, got, want)
		}
	}
	expect(0, "before any call")
	calls := []*Call{NewCall(), NewCall(), NewCall()}
	for _, call := range calls {
		if err := c.Send(call, frame.JSON, nil, []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	expect(1, "with calls")
	c.Abandon(calls[0], "canceled")
	expect(1, "when one was abandoned")
	c.Fail(errors.New("the end"))
	expect(0, "when all have failed")
}
