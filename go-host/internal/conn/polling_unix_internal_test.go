//go:build unix

package conn

import (
	"runtime"
	"testing"
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
	for ; mayPoll(mostPolling()); begun++ {
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
