package lambda_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"rootbridge"
	"rootbridge/lambda"
)

func TestNoRequestFailsDuringAReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "index.js")
	write := func(version string) {
		code := `exports.handler = async () => { await new Promise((resolve) => setTimeout(resolve, 1)); return { statusCode: 200, body: '` + version + `' }; };`
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	host := start(t, file, func(o *rootbridge.Options) { o.Workers = 2 })
	server := serve(t, host, "")
	var load sync.WaitGroup
	var isOver atomic.Bool
	for range 4 {
		load.Go(func() {
			seen := "old"
			for !isOver.Load() || seen == "old" {
				got := do(t, server, http.MethodGet, "/", "")
				if got.StatusCode != http.StatusOK || !slices.Contains([]string{"old", "new"}, got.body) {
					t.Errorf("%d %q", got.StatusCode, got.body)
					return
				}
				seen = got.body
			}
		})
	}
	write("new")
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	isOver.Store(true)
	load.Wait()
}

func TestRequestsInFlightAreAnsweredWhenTheHostShutsDown(t *testing.T) {
	t.Parallel()
	const module = `
		import { existsSync } from 'node:fs';
		export const wait = (event) => new Promise((resolve) => {
			const timer = setInterval(() => {
				if (!existsSync(event.queryStringParameters.file)) return;
				clearInterval(timer);
				resolve({ statusCode: 200 });
			}, 2);
		});
		export const noop = async () => {};`
	host := start(t, module, func(o *rootbridge.Options) { o.Concurrency, o.DrainTimeout = 2, long })
	server := serve(t, host, "wait")
	file := filepath.Join(t.TempDir(), "go")
	inFlight := startRequest(t, server.URL, "/?file="+url.QueryEscape(file))
	eventually(t, "the handler runs", func() bool { return host.Stats().Workers[0].Calls == 1 })
	closed := make(chan error, 1)
	go func() { closed <- host.Close() }()
	eventually(t, "the host takes no more", func() bool {
		return rootbridge.CodeOf(host.Call(t.Context(), "noop", nil, nil)) == rootbridge.CodeClosed
	})
	late := do(t, server, http.MethodGet, "/", "")
	expectStatus(t, late, http.StatusServiceUnavailable, "Service Unavailable")
	if late.Header.Get("Retry-After") != "" {
		t.Errorf("a host that is closed asks to be tried again: %q", late.Header)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-inFlight.done
	if err := <-closed; err != nil || inFlight.status != http.StatusOK {
		t.Errorf("%d, %v", inFlight.status, err)
	}
}

func TestAServerThatShutsDownWaitsForItsHandlers(t *testing.T) {
	t.Parallel()
	host := start(t, handlers, func(o *rootbridge.Options) { o.Concurrency = 2 })
	server := serve(t, host, "slow")
	inFlight := startRequest(t, server.URL, "/slow")
	eventually(t, "the handler runs", func() bool { return host.Stats().InFlight == 1 || callsOf(host) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	<-inFlight.done
	if inFlight.status != http.StatusOK {
		t.Errorf("the request in flight: %d", inFlight.status)
	}
}

func TestRequestsThatAShutdownCutsOffAreA503(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	server := serve(t, host, "hang")
	inFlight := startRequest(t, server.URL, "/")
	eventually(t, "the handler runs", func() bool { return host.Stats().InFlight == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = host.Shutdown(ctx)
	<-inFlight.done
	if inFlight.status != http.StatusServiceUnavailable {
		t.Errorf("%d", inFlight.status)
	}
	if _, err := lambda.Invoke[any](t.Context(), host, "pid", nil); rootbridge.CodeOf(err) != rootbridge.CodeClosed {
		t.Errorf("afterwards: %v", err)
	}
}
