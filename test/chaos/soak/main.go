// Command soak makes very many calls to one host while workers are recycled and code is reloaded all the time, and looks
// whether this process needs more and more of anything.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	s := &soak{out: os.Stdout}
	flag.IntVar(&s.calls, "calls", 1_000_000, "how many calls to make")
	flag.IntVar(&s.callers, "callers", 64, "how many at a time")
	flag.Parse()
	if runtime.GOOS != "linux" {
		_, _ = fmt.Fprintln(os.Stderr, "soak needs Linux: what this process uses is read from /proc")
		return
	}
	if err := s.run(context.Background()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
