package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"rootbridge"
	"rootbridge/lambda"
)

// runtimeAPI stands for Lambda: it hands out events and takes what becomes of them.
type runtimeAPI struct {
	*httptest.Server
	events   chan invocation
	outcomes chan outcome
}

type invocation struct {
	event  string
	header http.Header
}

// outcome is what a function has posted, with the last part of the path: response or error.
type outcome struct {
	path   string
	header http.Header
	body   string
}

func serveRuntimeAPI(t *testing.T) *runtimeAPI {
	t.Helper()
	a := &runtimeAPI{events: make(chan invocation), outcomes: make(chan outcome, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{outcome}", a.post)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.post)
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "e-1")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case i := <-a.events:
		for name, values := range i.header {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, i.event)
	case <-r.Context().Done():
	}
}

func (a *runtimeAPI) post(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	a.outcomes <- outcome{path: filepath.Base(r.URL.Path), header: r.Header, body: string(body)}
}

// invoke hands out an event, and returns what becomes of it. header lists names and values in turn.
func (a *runtimeAPI) invoke(t *testing.T, event string, header ...string) outcome {
	t.Helper()
	a.handOut(t, event, header...)
	return a.outcome(t)
}

func (a *runtimeAPI) handOut(t *testing.T, event string, header ...string) {
	t.Helper()
	i := invocation{event, http.Header{
		"Lambda-Runtime-Aws-Request-Id": {"r-1"},
		"Lambda-Runtime-Deadline-Ms":    {deadline(long)},
	}}
	for n := 0; n < len(header); n += 2 {
		i.header.Set(header[n], header[n+1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	select {
	case a.events <- i:
	case <-ctx.Done():
		t.Fatal("nobody takes the event")
	}
}

func (a *runtimeAPI) outcome(t *testing.T) outcome {
	t.Helper()
	select {
	case o := <-a.outcomes:
		return o
	case <-time.After(long):
		t.Fatal("nothing becomes of the event")
	}
	return outcome{}
}

func deadline(after time.Duration) string {
	return strconv.FormatInt(time.Now().Add(after).UnixMilli(), 10)
}

// process is a function, which is this test's binary in another role.
type process struct {
	*exec.Cmd
	stderr records
	ended  chan error
}

// startFunction starts a function that carries a CommonJS module, with more variables if given.
func startFunction(t *testing.T, api, module string, env ...string) *process {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.js"), []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0]), ended: make(chan error, 1)}
	p.Env = append(os.Environ(), "ROOTBRIDGE_TEST_FUNCTION="+dir, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api, "http://"))
	p.Env = append(p.Env, env...)
	p.Stderr, p.WaitDelay = &p.stderr, long
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		p.ended <- <-p.ended
		t.Logf("the function said: %s", p.stderr.String())
	})
	return p
}

// exitCode waits for the end of the function.
func (p *process) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(long):
		t.Fatal("the function does not end")
	}
	return 0
}

// playFunction never returns. No call has as little time as CallTimeout says.
func playFunction(dir string) {
	host, err := rootbridge.Start(context.Background(), rootbridge.Options{
		Entry: "index.handler", Dir: dir, Convention: rootbridge.Lambda, Workers: lambdacontext.MaxConcurrency(), Node: os.Getenv("ROOTBRIDGE_TEST_NODE"),
		CallTimeout: time.Nanosecond, QueueTimeout: long, BootTimeout: long, Heartbeat: beat, KillGrace: grace,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		lambda.FailInit(err)
	}
	lambda.Start(host, "")
}

const (
	beat  = 20 * time.Millisecond
	grace = 500 * time.Millisecond
)

func jsonOf[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.NewDecoder(bytes.NewBufferString(text)).Decode(&value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return value
}
