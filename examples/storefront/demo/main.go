// Command demo starts the storefront server as anyone would, talks to it through HTTP, shows what happens, and ends with
// exit code 1 if anything that it shows is not as it should be.
//
//	demo <server program>
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// longest is how long the whole demo may take, also on a slow machine.
const longest = 2 * time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo <server program>")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, longest)
	ok := run(ctx, os.Args[1], newScreen(os.Stdout))
	cancel()
	stop()
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, program string, out *screen) bool {
	start := time.Now()
	server, err := startServer(ctx, program)
	if err != nil {
		out.check(false, "the server starts: %v", err)
		return false
	}
	tour := &tour{screen: out, client: client{base: server.url}, server: server}
	out.title("A JavaScript shop behind a Go server")
	pids := tour.await(ctx, "both Node processes start", func(pids []int) bool { return len(pids) == 2 })
	out.line("%s, Node processes %v", server.url, pids)

	tour.validation(ctx)
	tour.prices(ctx)
	tour.mail(ctx)
	tour.pdf(ctx)
	tour.more(ctx)
	tour.exception(ctx)
	tour.endlessLoop(ctx)
	tour.console(ctx)
	tour.stats(ctx)
	tour.end(ctx)

	out.summary(time.Since(start))
	return out.failed == 0
}
