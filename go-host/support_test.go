package rootbridge_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/rootbridgetest"
)

// long is a time that no step of a test needs; where it passes, something hangs.
const long = 60 * time.Second

// start starts a host for one test on the Node that the matrix asks for.
func start(t testing.TB, module string, options ...rootbridgetest.Option) *rootbridge.Host {
	t.Helper()
	return rootbridgetest.Start(t, module, append([]rootbridgetest.Option{onTestNode}, options...)...)
}

func onTestNode(o *rootbridge.Options) { o.Node = os.Getenv("ROOTBRIDGE_TEST_NODE") }

func with(change func(o *rootbridge.Options)) rootbridgetest.Option { return change }

// startErr expects that a host does not start.
func startErr(t *testing.T, o rootbridge.Options) *rootbridge.Error {
	t.Helper()
	if o.Node == "" {
		onTestNode(&o)
	}
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	host, err := rootbridge.Start(ctx, o)
	if err == nil {
		_ = host.Close()
		t.Fatal("the host started")
	}
	return asError(t, err)
}

func asError(t *testing.T, err error) *rootbridge.Error {
	t.Helper()
	var e *rootbridge.Error
	if !errors.As(err, &e) {
		t.Fatalf("expected an *Error, got %v", err)
	}
	return e
}

// expectCode checks an error's code, and that its text has each of the words.
func expectCode(t *testing.T, err error, code rootbridge.Code, words ...string) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("expected %q, got %v", string(code), err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("expected an error with %q, got %q", word, err)
		}
	}
}

func call[Out any](t *testing.T, host *rootbridge.Host, method string, in any, options ...rootbridge.CallOption) Out {
	t.Helper()
	var out Out
	if err := host.Call(t.Context(), method, in, &out, options...); err != nil {
		t.Errorf("%s: %v", method, err)
	}
	return out
}

// overdue makes a call that is sent and whose time is over before it ends. On a busy machine its time may be over before it
// is sent: then it is made again.
func overdue(t *testing.T, host *rootbridge.Host, method string, in any, timeout time.Duration) error {
	t.Helper()
	for {
		err := host.Call(t.Context(), method, in, nil, rootbridge.WithTimeout(timeout))
		expectCode(t, err, rootbridge.CodeDeadlineExceeded)
		if err == nil || !strings.Contains(err.Error(), "did not run") {
			return err
		}
	}
}

// sent is how many calls the workers have been sent. One that is in flight may still be on its way, behind later ones.
func sent(host *rootbridge.Host) (calls uint64) {
	for _, w := range host.Stats().Workers {
		calls += w.Calls
	}
	return calls
}

// eventually waits for a state that is on its way.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// writeFile makes a file of a test's module.
// It is there as a whole, or as it was before: who watches it never sees it empty, however slow the disk is.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
	return path
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

func (r *records) logTo(o *rootbridge.Options) {
	o.Logger = slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
