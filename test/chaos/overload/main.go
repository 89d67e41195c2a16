// Command overload measures what callers beyond the limit cost: in turns, a host is called by as many as it has room for,
// and by many more beside them. It prints how soon those are refused, and the latency of the accepted calls in both cases.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 10, "how often it is measured in turn")
	flag.IntVar(&b.extra, "extra", 100, "callers beyond the limit")
	flag.DurationVar(&b.round, "round", time.Second, "for how long each time")
	flag.Parse()
	if err := b.run(context.Background()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	b.print(os.Stdout)
	if len(b.failures) > 0 {
		os.Exit(1)
	}
}
