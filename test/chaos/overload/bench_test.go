package main

import (
	"testing"
	"time"
)

func TestCallersBeyondTheLimitAreRefusedAndTheOthersAnswered(t *testing.T) {
	t.Parallel()
	b := &bench{rounds: 2, extra: 20, round: 200 * time.Millisecond}
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.print(t.Output())
	if len(b.failures) > 0 || len(b.refused) == 0 || len(b.alone) == 0 || len(b.beside) == 0 {
		t.Errorf("%d failed, %d were refused, %d and %d accepted", len(b.failures), len(b.refused), len(b.alone), len(b.beside))
	}
}
