// Command storefront is an HTTP server whose business logic is a JavaScript program that nobody wants to rewrite yet:
// the shop backend in legacy/, unmodified.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"rootbridge"
)

type config struct {
	addr    string
	entry   string
	workers int
	// callTimeout bounds one call of a JavaScript function. A loop that never ends costs its caller this much.
	callTimeout time.Duration
	// drainTimeout bounds how long running requests may take once the server was asked to end.
	drainTimeout time.Duration
}

func main() {
	cfg, logger := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, cfg, logger)
	stop()
	if err != nil {
		logger.Error("storefront failed", "error", err)
		os.Exit(1)
	}
}

func parseFlags() (config, *slog.Logger) {
	cfg := config{drainTimeout: 10 * time.Second}
	flag.StringVar(&cfg.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 lets the system choose")
	flag.StringVar(&cfg.entry, "entry", "legacy/index.js", "`file` of the JavaScript backend")
	flag.IntVar(&cfg.workers, "workers", 2, "`number` of Node processes")
	flag.DurationVar(&cfg.callTimeout, "timeout", 2*time.Second, "longest `time` of one JavaScript call")
	json := flag.Bool("json", false, "log JSON")
	flag.Parse()

	if *json {
		return cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return cfg, slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// run serves until ctx ends, then lets running requests finish and ends every Node process.
func run(ctx context.Context, cfg config, logger *slog.Logger) error {
	host, err := rootbridge.Start(ctx, rootbridge.Options{
		Entry:   cfg.entry,
		Workers: cfg.workers,
		// These functions compute: a process can't do two of them at once anyway. One at a time means that
		// no call waits behind a slow one while the other process is free.
		Concurrency: 1,
		CallTimeout: cfg.callTimeout,
		// kill -USR2 loads the backend anew without failing a request.
		ReloadOnSignal: true,
		Logger:         logger,
	})
	if err != nil {
		return err
	}
	defer host.Close()

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           newHandler(host, logger),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logger.Info("listening", "url", "http://"+listener.Addr().String())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	logger.Info("shutting down")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.drainTimeout)
	defer cancel()
	// First the requests, then the processes that answer them.
	if err := errors.Join(server.Shutdown(drain), host.Shutdown(drain)); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	logger.Info("bye")
	return nil
}
