// Command demo starts the lambda-shop server as anyone would, talks to it through HTTP, shows what happens, and ends with exit
// code 1 if anything that it shows is not as it should be.
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
		out.line("the server did not start: %v", err)
		return false
	}
	tour := &tour{screen: out, client: client{base: server.url}, server: server}
	out.title("Three Lambda functions behind one Go server, without AWS")
	tour.await(ctx, "all Node processes start", func() bool { return len(tour.workerPIDs(ctx)) == processes })
	out.line("%s, Node processes %v", server.url, tour.workerPIDs(ctx))

	for _, step := range []func(context.Context){
		tour.crud, tour.manyWorkers, tour.refusals, tour.site, tour.bytes, tour.queue, tour.exception, tour.endless, tour.retired,
		tour.reload, tour.end,
	} {
		if ctx.Err() == nil {
			step(ctx)
		}
	}
	if ctx.Err() != nil {
		out.line("ended before its time: %v, %v", context.Cause(ctx), server.stop())
		return false
	}
	out.summary(time.Since(start))
	return out.failed == 0
}
