//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rootbridge"
)

// long is a time that no step of a test needs; where it passes, something hangs.
const long = 60 * time.Second

// asCommand makes the test's own binary the command, race detector and all.
const asCommand = "SIDECAR_TEST_COMMAND"

// exitLeak is the command's exit code when it leaves goroutines behind.
const exitLeak = 70

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	if !isInit() { // which starts another that needs it
		_ = os.Unsetenv(asCommand)
	}
	code := run(os.Args[1:])
	if err := goleak.Find(); err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		code = exitLeak
	}
	os.Exit(code)
}

// legacy is the code that most tests call. hold and spin last until a file is there, so that tests need no clock.
const legacy = `
const fs = require('fs');
exports.echo = (v) => v;
exports.add = (a, b) => a + b;
exports.kind = (v) => Buffer.isBuffer(v) ? 'bytes' : v === undefined ? 'undefined' : v === null ? 'null' : typeof v;
exports.bytes = (n) => Buffer.alloc(n, 7);
exports.text = (n) => 'x'.repeat(n);
exports.nothing = () => {};
exports.math = { twice: (n) => 2 * n };
exports.refund = (order) => {
  throw Object.assign(new TypeError('order ' + order.id + ' is not paid', { cause: new Error('no payment') }),
    { status: 409, inner: { stack: 'x\n    at y (z.js:1:2)', text: 'a\n    at b (c.js:1:2)' } });
};
exports.thrown = (v) => { throw v; };
exports.exit = () => process.exit(7);
exports.big = () => 10n;
exports.hold = async (file) => {
  fs.writeFileSync(file + '.began', '');
  while (!fs.existsSync(file)) await new Promise((go) => setTimeout(go, 2));
  return 'held';
};
exports.spin = (file) => { fs.writeFileSync(file + '.began', ''); while (!fs.existsSync(file)); return 'spun'; };
exports.pause = () => new Promise((go) => setTimeout(go, 300, 'paused'));
exports.pid = () => process.pid;
exports.variable = (name) => process.env[name] ?? null;
`

// sidecar is a command that runs.
type sidecar struct {
	t       *testing.T
	dir     string // short, so that a socket fits
	entry   string
	listen  string // its --listen
	url     string
	client  *http.Client
	command *exec.Cmd
	mark    string
	log     *records

	ended chan struct{}
	code  int // after ended
}

// serve starts one at a unix socket for a test, which must end well.
func serve(t *testing.T, module string, flags ...string) *sidecar {
	t.Helper()
	s := prepare(t, module)
	s.start(flags...)
	s.await("msg=listening")
	return s
}

// prepare makes what serve needs.
func prepare(t *testing.T, module string) *sidecar {
	t.Helper()
	dir, err := os.MkdirTemp("", "rb") //nolint:usetesting // a test's own folder has its name, and a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &sidecar{t: t, dir: dir, mark: rand.Text(), log: new(records), url: "http://localhost"}
	s.entry = s.write("index.js", module)
	s.listen = "unix:" + s.path("s.sock")
	s.connect()
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return s
}

// connect gives it a client of its own.
func (s *sidecar) connect() {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }}
	s.client = &http.Client{Transport: transport, Timeout: long}
	s.t.Cleanup(transport.CloseIdleConnections)
}

func (s *sidecar) dial(ctx context.Context) (net.Conn, error) {
	if path, ok := strings.CutPrefix(s.listen, "unix:"); ok {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", s.listen)
}

// start starts the command with few workers, which flags can change.
func (s *sidecar) start(flags ...string) {
	s.t.Helper()
	s.startCommand(command(append([]string{"serve", "--entry", s.entry, "--listen", s.listen, "--workers", "1"}, flags...)...))
}

// startCommand starts it as it is. When the test ends it is ended, and nothing of it may be left.
func (s *sidecar) startCommand(c *exec.Cmd) {
	s.t.Helper()
	s.command, s.ended = c, make(chan struct{})
	c.Env = append(c.Env, "SIDECAR_TEST_MARK="+s.mark)
	c.Stdout, c.Stderr = s.log, s.log
	c.WaitDelay = long
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = c.Wait()
		s.code = c.ProcessState.ExitCode()
		close(s.ended)
	}()
	s.t.Cleanup(func() {
		s.end()
		if s.t.Failed() {
			s.t.Log(s.log)
		}
	})
}

// command is this test's binary as rootbridged.
func command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asCommand+"=1", "GORACE=atexit_sleep_ms=0")
	if node := os.Getenv("ROOTBRIDGE_TEST_NODE"); node != "" {
		c.Env = append(c.Env, "ROOTBRIDGED_NODE="+node)
	}
	return c
}

// end asks it to end, if it has not, and looks what is left. It returns the exit code.
func (s *sidecar) end() int {
	s.t.Helper()
	s.client.CloseIdleConnections()
	_ = s.command.Process.Signal(syscall.SIGTERM)
	return s.awaitEnd()
}

func (s *sidecar) awaitEnd() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(long):
		_ = s.command.Process.Kill()
		s.t.Fatalf("it did not end: %s", s.log)
	}
	if s.code == exitLeak || strings.Contains(s.log.String(), "DATA RACE") || strings.Contains(s.log.String(), "panic") {
		s.t.Errorf("exit code %d: %s", s.code, s.log)
	}
	eventually(s.t, "no process is left", func() bool { return len(marked(s.mark)) == 0 })
	return s.code
}

// marked returns the processes with a mark in their environment. Elsewhere than on Linux it knows of none.
func marked(mark string) []string {
	var pids []string
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environments {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(mark)) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// await waits for a line of its log.
func (s *sidecar) await(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(long); !strings.Contains(s.log.String(), text); time.Sleep(2 * time.Millisecond) {
		select {
		case <-s.ended:
			s.t.Fatalf("it ended with %d before %q: %s", s.code, text, s.log)
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("never %q: %s", text, s.log)
		}
	}
}

func (s *sidecar) path(name string) string { return filepath.Join(s.dir, name) }

// write makes a file, which is there as a whole or as it was before, for whoever loads it meanwhile.
func (s *sidecar) write(name, text string) string {
	s.t.Helper()
	part := s.path(name + ".part")
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(part, s.path(name)); err != nil {
		s.t.Fatal(err)
	}
	return s.path(name)
}

// answerOf is what came back for a request.
type answerOf struct {
	status int
	header http.Header
	body   string
	closes bool // the connection, after it
}

// told is the error object in an answer.
func (a answerOf) told(t *testing.T) problem {
	t.Helper()
	var body struct{ Error problem }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("expected an error object, got %d %s %q", a.status, a.header.Get("Content-Type"), a.body)
	}
	return body.Error
}

// ask makes a request such as "POST /call/echo" with headers such as "Content-Type: application/json".
func (s *sidecar) ask(what, body string, headers ...string) answerOf {
	s.t.Helper()
	got, err := s.tryAsk(s.t.Context(), what, strings.NewReader(body), headers...)
	if err != nil {
		s.t.Errorf("%s: %v", what, err)
	}
	return got
}

func (s *sidecar) tryAsk(ctx context.Context, what string, body io.Reader, headers ...string) (answerOf, error) {
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return answerOf{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return answerOf{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answerOf{response.StatusCode, response.Header, string(text), response.Close}, err
}

const asJSON = "Content-Type: application/json"

// call calls a function with JSON and expects its result.
func (s *sidecar) call(method, argument, want string) {
	s.t.Helper()
	got := s.ask("POST /call/"+method, argument, asJSON)
	if got.status != http.StatusOK || got.body != want {
		s.t.Errorf("%s: got %d %.300q, want %q", method, got.status, got.body, want)
	}
}

// hold starts a call that lasts until release, and returns when it runs.
func (s *sidecar) hold(method string) (release func(), outcome <-chan answerOf) {
	s.t.Helper()
	return s.holdBy("POST /call/"+method, quoted, asJSON)
}

// holdBy makes a request that tells a file, which releases it.
func (s *sidecar) holdBy(what string, body func(file string) string, header string) (release func(), outcome <-chan answerOf) {
	s.t.Helper()
	file := s.path(rand.Text())
	ended := make(chan answerOf, 1)
	go func() {
		got, err := s.tryAsk(context.Background(), what, strings.NewReader(body(file)), header)
		if err != nil {
			got.body = err.Error()
		}
		ended <- got
	}()
	eventually(s.t, "the call runs", func() bool { return exists(file + ".began") })
	release = sync.OnceFunc(func() { _ = os.WriteFile(file, nil, 0o600) })
	s.t.Cleanup(release)
	return release, ended
}

func (s *sidecar) stats() (stats rootbridge.Stats) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.ask("GET /workers", "").body), &stats); err != nil {
		s.t.Error(err)
	}
	return stats
}

// raw sends bytes on a connection of its own and returns the answers that come until it is closed.
func (s *sidecar) raw(text string) string {
	s.t.Helper()
	conn, err := s.dial(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(long))
	_, _ = io.WriteString(conn, text) // a refusal may come before all is written
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		s.t.Errorf("after %.60q: %v", text, err)
	}
	return string(answer)
}

// execute runs the command to its end.
func execute(t *testing.T, c *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, wrong bytes.Buffer
	c.Stdout, c.Stderr = &out, &wrong
	_ = c.Run()
	if c.ProcessState == nil {
		t.Fatal("it did not start")
	}
	return c.ProcessState.ExitCode(), out.String(), wrong.String()
}

// run runs another command that speaks to it.
func (s *sidecar) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	return execute(s.t, command(append(args, "--listen", s.listen)...))
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text) //nolint:errchkjson // a string
	return string(encoded)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
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
