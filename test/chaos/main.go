package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"time"
)

func main() {
	if !runTrial() {
		os.Exit(runCommand())
	}
}

// runCommand returns the exit code: 0 when nothing was found that must never be, 1 when something was, 2 when it could not
// be looked for.
func runCommand() int {
	seed := flag.Uint64("seed", rand.Uint64N(1_000_000), "decides what happens in which order") //nolint:gosec // any will do
	length := flag.Duration("time", 3*time.Minute, "how long it goes on")
	size := flag.Int("hosts", max(2, runtime.NumCPU()), "how many hosts there are at a time")
	verbose := flag.Bool("v", false, "write to stderr what is done as it is done")
	flag.Parse()
	if unsupported != "" {
		_, _ = fmt.Fprintln(os.Stderr, "chaos", unsupported)
		return 0
	}
	c := &crew{seed: *seed, size: *size, time: *length, scale: long}
	if *verbose {
		c.log = os.Stderr
	}
	_, _ = fmt.Fprintf(os.Stdout, "chaos with -seed %d -hosts %d -time %v\n", *seed, *size, *length)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	stop := showProgress(os.Stdout, c.sum)
	sum, err := c.run(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 2
	}
	sum.print(os.Stdout)
	if len(sum.Violations) > 0 {
		_, _ = fmt.Fprintf(os.Stdout, "again: make chaos CHAOS_SEED=%d CHAOS_TIME=%v\n", *seed, *length)
		return 1
	}
	return 0
}
