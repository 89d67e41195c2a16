package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/lambda"
	"rootbridge/rootbridgetest"
)

// long is a time that no step of a test needs; where it passes, something hangs.
const long = 60 * time.Second

// handlers are what the tests call: echo answers with its event, answer with the JSON in the request's body.
const handlers = `
import { currentCall } from 'rootbridge';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const echo = async (event) => ({ statusCode: 200, body: JSON.stringify(event) });
export const answer = async (event) => JSON.parse(event.body);
export const context = async (event, context) => ({
  statusCode: 200,
  body: JSON.stringify({ id: context.awsRequestId, xray: process.env._X_AMZN_TRACE_ID, trace: currentCall().traceId, traceparent: currentCall().traceparent }),
});
export const bytes = async (event) => ({
  statusCode: 200, headers: { 'content-type': 'image/png' }, isBase64Encoded: true,
  body: Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8').reverse().toString('base64'),
});
export const fails = async () => { throw Object.assign(new RangeError('the secret is 42'), { statusCode: 418 }); };
export const hang = () => new Promise((resolve) => setTimeout(resolve, 600_000));
export const exits = () => process.exit(3);
let isHeld = 0, aborted = 0;
export const hold = async () => {
  isHeld += 1;
  const busy = setInterval(() => {}, 1000); // with an empty event loop it would be over
  await new Promise((resolve) => currentCall().signal.addEventListener('abort', resolve));
  clearInterval(busy);
  aborted += 1;
};
export const held = async () => ({ isHeld, aborted });
export const slow = async (event) => { await sleep(20); return event.rawPath; };
export const pid = async () => process.pid;
`

// start starts a host for the handlers of a module, by default those above.
func start(t testing.TB, module string, change ...func(*rootbridge.Options)) *rootbridge.Host {
	t.Helper()
	options := []rootbridgetest.Option{func(o *rootbridge.Options) {
		o.Convention, o.Node = rootbridge.Lambda, os.Getenv("ROOTBRIDGE_TEST_NODE")
	}}
	for _, each := range change {
		options = append(options, each)
	}
	return rootbridgetest.Start(t, module, options...)
}

// serve starts a server for one method.
func serve(t testing.TB, host *rootbridge.Host, method string, options ...lambda.Option) *httptest.Server {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	return listen(t, lambda.Handler(host, method, append([]lambda.Option{lambda.Logger(logger)}, options...)...))
}

func listen(t testing.TB, handler http.Handler, change ...func(*http.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(t.Output(), nil), slog.LevelWarn)
	for _, each := range change {
		each(server.Config)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// response is a response whose body has been read.
type response struct {
	*http.Response
	body string
}

// do sends a request, and follows no redirect. header lists names and values in turn.
func do(t testing.TB, server *httptest.Server, method, path, body string, header ...string) response {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return send(t, server.Client(), r)
}

func send(t testing.TB, client *http.Client, r *http.Request) response {
	t.Helper()
	got, err := client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{got, string(text)}
}

// decoded reads a response of JSON.
func decoded[T any](t testing.TB, r response) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		t.Fatalf("%q: %v", r.body, err)
	}
	return value
}

func expectStatus(t testing.TB, r response, status int, message string) {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("expected %d, got %d %q", status, r.StatusCode, r.body)
	}
	if message == "" {
		return
	}
	if got := decoded[map[string]any](t, r); len(got) != 1 || got["message"] != message || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("expected the message %q, got %q", message, r.body)
	}
}

type rawJSON = json.RawMessage

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// eventually waits for a state that is on its way.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// records keeps what is logged.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func jsonLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// pending is a request that goes on.
type pending struct {
	cancel context.CancelFunc
	done   chan struct{}
	status int // once done; 0 for none
}

func startRequest(t *testing.T, url, path string) *pending {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &pending{cancel: cancel, done: make(chan struct{})}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if got, err := client.Do(r); err == nil {
			p.status = got.StatusCode
			_ = got.Body.Close()
		}
	}()
	t.Cleanup(func() { cancel(); <-p.done })
	return p
}

// callsOf counts the calls that have ended.
func callsOf(host *rootbridge.Host) uint64 {
	stats := host.Stats()
	calls := stats.Succeeded
	for _, failed := range stats.Failed {
		calls += failed
	}
	return calls
}
