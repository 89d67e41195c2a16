// Command reload measures what a reload costs calls: with a steady load of half of what the host can do, it reloads new
// code many times, and prints the latency of calls that were under way during a reload beside that of all others.
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
	flag.IntVar(&b.reloads, "reloads", 20, "how often the code is reloaded")
	flag.IntVar(&b.workers, "workers", 2, "Options.Workers")
	flag.DurationVar(&b.measuring, "measure", 3*time.Second, "for how long the capacity is measured")
	flag.DurationVar(&b.quiet, "quiet", time.Second, "time between two reloads")
	flag.Parse()
	result, err := b.run(context.Background())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	result.print(os.Stdout)
	if len(result.failures) > 0 {
		os.Exit(1)
	}
}
