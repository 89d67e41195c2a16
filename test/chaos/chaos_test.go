package main

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var testSeed = flag.Uint64("seed", rand.Uint64N(1_000_000), "decides what happens in which order")

// TestMain makes this binary its own trial, and fails when a test has left a goroutine.
func TestMain(m *testing.M) {
	if runTrial() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestNoCallIsLostAndNothingIsLeftWhateverHappens(t *testing.T) {
	t.Parallel()
	if unsupported != "" {
		t.Skip(unsupported)
	}
	t.Logf("again: go test -race -args -seed=%d", *testSeed)
	c := &crew{seed: *testSeed, size: 2, time: 5 * time.Second, scale: short}
	sum, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum.print(t.Output())
	if len(sum.Violations) > 0 {
		t.Errorf("%d violations", len(sum.Violations))
	}
	if sum.Calls == 0 || sum.Runs == 0 || sum.faults() == 0 || sum.Lives < 2 {
		t.Errorf("too little was done to prove anything: %d calls, %d faults, %d hosts", sum.Calls, sum.faults(), sum.Lives)
	}
}
