// Command lambda-shop serves three AWS Lambda functions without AWS: a REST API, a consumer of a queue and an HTTP API. The
// functions in legacy/ could be deployed there as they are.
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
	"sync"
	"syscall"
	"time"
)

type config struct {
	addr string
	dir  string
	// dynamodb is the URL of the tables' endpoint; empty for a stand-in that lives as long as the server.
	dynamodb string
	workers  int
	// timeout bounds one invocation, as the timeout of a function's configuration does.
	timeout time.Duration
	// retryAfter is how long a message stays invisible whose processing has failed.
	retryAfter time.Duration
	// drainTimeout bounds how long running requests and batches may take once the server was asked to end.
	drainTimeout time.Duration
}

func main() {
	cfg, logger := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, cfg, logger)
	stop()
	if err != nil {
		logger.Error("lambda-shop failed", "error", err)
		os.Exit(1)
	}
}

func parseFlags() (config, *slog.Logger) {
	cfg := config{dir: "legacy", drainTimeout: 10 * time.Second}
	flag.StringVar(&cfg.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 lets the system choose")
	flag.StringVar(&cfg.dynamodb, "dynamodb", "", "`URL` of DynamoDB; without it a stand-in is started, which forgets everything at the end")
	flag.IntVar(&cfg.workers, "workers", 2, "`number` of Node processes of each HTTP function")
	flag.DurationVar(&cfg.timeout, "timeout", 3*time.Second, "longest `time` of one invocation")
	flag.DurationVar(&cfg.retryAfter, "retry", 5*time.Second, "`time` after which a failed message is delivered again")
	json := flag.Bool("json", false, "log JSON")
	flag.Parse()

	if *json {
		return cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return cfg, slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// run serves and consumes until ctx ends, then lets running requests and the running batch finish and ends every process.
func run(ctx context.Context, cfg config, logger *slog.Logger) error {
	tables, err := openTables(ctx, cfg.dynamodb)
	if err != nil {
		return err
	}
	defer tables.close()
	functions, err := startFunctions(ctx, cfg, tables.env, logger)
	if err != nil {
		return err
	}
	defer functions.close()

	orders := newQueue(cfg.retryAfter)
	polling, stopPolling := context.WithCancel(ctx)
	var consuming sync.WaitGroup
	consuming.Go(func() { consume(polling, orders, functions.orders, logger) })

	// First the requests end, then the batch, then the processes that do the work, at last their tables.
	err = serve(ctx, cfg, newHandler(functions, orders, logger), tables.ended, logger)
	stopPolling()
	consuming.Wait()
	if lost := orders.state().Waiting; lost > 0 {
		logger.Warn("the queue was in memory only", "messages_lost", lost)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.drainTimeout)
	defer cancel()
	if err := errors.Join(err, functions.shutdown(drain)); err != nil {
		return err
	}
	logger.Info("bye")
	return nil
}

// serve answers requests until ctx ends, or the tables do.
func serve(ctx context.Context, cfg config, handler http.Handler, tablesEnded <-chan struct{}, logger *slog.Logger) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
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
	case <-tablesEnded:
		return errors.Join(errors.New("the stand-in for DynamoDB ended: see what it printed"), server.Close())
	case <-ctx.Done():
	}
	logger.Info("shutting down")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
