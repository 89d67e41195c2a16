package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"rootbridge"
)

const region = "eu-central-1"

// functions are the three Lambda functions, each with its own processes, environment and dependencies, as on Lambda.
type functions struct{ products, orders, site *rootbridge.Host }

// startFunctions has what the configurations of the functions had: handler, environment, timeout, memory, concurrency.
func startFunctions(ctx context.Context, cfg config, tables []string, logger *slog.Logger) (*functions, error) {
	deploy := func(name, handler string, workers int, env ...string) (*rootbridge.Host, error) {
		host, err := rootbridge.Start(ctx, rootbridge.Options{
			Entry:       handler,
			Dir:         filepath.Join(cfg.dir, name),
			Convention:  rootbridge.Lambda,
			Lambda:      rootbridge.LambdaOptions{FunctionName: "shop-" + name, MemorySize: 256, Region: region},
			Env:         append(env, tables...),
			Workers:     workers,
			CallTimeout: cfg.timeout,
			// kill -USR2 deploys what is in the folder now, without failing a request.
			ReloadOnSignal: true,
			Logger:         logger.With("function", name),
		})
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", name, err)
		}
		return host, nil
	}
	f := &functions{}
	var starting sync.WaitGroup
	var errs [3]error
	starting.Go(func() {
		f.products, errs[0] = deploy("products", "index.handler", cfg.workers, "PRODUCTS_TABLE=products")
	})
	starting.Go(func() {
		f.orders, errs[1] = deploy("orders", "app.lambdaHandler", 1, "PRODUCTS_TABLE=products", "ORDERS_TABLE=orders")
	})
	starting.Go(func() { f.site, errs[2] = deploy("site", "index.handler", cfg.workers) })
	starting.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *functions) hosts() map[string]*rootbridge.Host {
	return map[string]*rootbridge.Host{"products": f.products, "orders": f.orders, "site": f.site}
}

func (f *functions) stats() map[string]rootbridge.Stats {
	stats := map[string]rootbridge.Stats{}
	for name, host := range f.hosts() {
		stats[name] = host.Stats()
	}
	return stats
}

func (f *functions) ready() error {
	return errors.Join(f.products.Ready(), f.orders.Ready(), f.site.Ready())
}

func (f *functions) shutdown(ctx context.Context) error {
	return errors.Join(f.products.Shutdown(ctx), f.orders.Shutdown(ctx), f.site.Shutdown(ctx))
}

// close ends those that have started. It does nothing after shutdown.
func (f *functions) close() {
	for _, host := range f.hosts() {
		if host != nil {
			_ = host.Close()
		}
	}
}
