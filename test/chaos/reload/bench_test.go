package main

import (
	"strings"
	"testing"
	"time"
)

func TestNoCallFailsWhileTheCodeIsReloaded(t *testing.T) {
	t.Parallel()
	b := &bench{reloads: 2, workers: 2, measuring: 300 * time.Millisecond, quiet: 100 * time.Millisecond}
	r, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	if len(r.failures) > 0 || len(r.during) == 0 || len(r.without) == 0 {
		t.Errorf("%d calls failed, %d were during a reload, %d were not", len(r.failures), len(r.during), len(r.without))
	}
}

func TestACallThatTouchesAReloadIsCountedThere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	second := func(n int) time.Time { return now.Add(time.Duration(n) * time.Second) }
	b := &bench{samples: []sample{
		{second(0), 2 * time.Second}, {second(1), time.Second}, {second(1), 3 * time.Second}, {second(3), time.Second}, {second(4), time.Second},
	}}
	r := newResult(b, 1, []window{{second(2), second(4)}})
	if len(r.during) != 2 || len(r.without) != 3 || r.during[1] != 3*time.Second {
		t.Errorf("during %v, without %v", r.during, r.without)
	}
	if got := r.during.Over(r.without, 1); got != "1.5" {
		t.Errorf("the ratio of the slowest is %s", got)
	}
	var text strings.Builder
	r.print(&text)
	if !strings.Contains(text.String(), "failed calls: 0") {
		t.Error(text.String())
	}
}
