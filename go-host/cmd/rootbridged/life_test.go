//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// versioned is code that tells its version.
func versioned(version int) string { return fmt.Sprintf("exports.version = () => %d;", version) }

// load calls all the time until it is stopped. No call may fail.
func (s *sidecar) load(clients int) (passed *atomic.Int64, stop func()) {
	s.t.Helper()
	passed = new(atomic.Int64)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				got, err := s.tryAsk(context.Background(), "POST /call/version", http.NoBody)
				if err != nil || got.status != http.StatusOK {
					s.t.Errorf("a call failed: %d %s %v", got.status, got.body, err)
				}
				passed.Add(1)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	s.t.Cleanup(stop)
	return passed, stop
}

func TestSIGUSR2LoadsNewCodeWithoutFailingACall(t *testing.T) {
	t.Parallel()
	s := serve(t, versioned(1), "--workers", "2")
	passed, stop := s.load(4)
	s.write("index.js", versioned(2))
	for range 20 { // they coalesce
		_ = s.command.Process.Signal(syscall.SIGUSR2)
	}
	eventually(t, "the new code serves alone", func() bool { return s.stats().Reloads > 0 })
	s.call("version", "", "2")
	s.write("index.js", "throw new Error('broken')")
	_ = s.command.Process.Signal(syscall.SIGUSR2)
	eventually(t, "a reload fails", func() bool { return s.stats().FailedReloads > 0 })
	before := passed.Load()
	eventually(t, "calls go on", func() bool { return passed.Load() > before+20 })
	stop()
	s.call("version", "", "2")
}

func TestSIGUSR2WhileTheCodeLoadsEndsNothing(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	s.write("index.js", `const fs = require('fs'); fs.writeFileSync(__dirname + '/loading', ''); while (!fs.existsSync(__dirname + '/go')); exports.echo = (v) => v;`)
	s.start()
	eventually(t, "the code loads", func() bool { return exists(s.path("loading")) })
	_ = s.command.Process.Signal(syscall.SIGUSR2)
	s.write("go", "")
	s.await("msg=listening")
	s.call("echo", "1", "1")
	eventually(t, "it was not forgotten", func() bool { return s.stats().Reloads == 1 })
}

func TestARequestReloadsAndTellsWhyNot(t *testing.T) {
	t.Parallel()
	s := serve(t, versioned(1))
	_, stop := s.load(2)
	s.write("index.js", versioned(2))
	if got := s.ask("POST /reload", ""); got.status != 200 || got.body != "{\"generation\":2}\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	s.call("version", "", "2")
	s.write("index.js", "exports.version = () => {{ 3;")
	got := s.ask("POST /reload", "")
	if told := got.told(t); got.status != 500 || told.Code != "boot_failed" || told.Name != "SyntaxError" || told.Stack != "" || !strings.Contains(told.Message, "index.js") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	s.call("version", "", "2")
	stop()
}

func TestItServesOnAfterSIGTERMWhileItSaysThatItIsNotReady(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--shutdown-delay", "1h")
	release, held := s.hold("hold")
	if got := s.ask("GET /readyz", ""); got.status != 200 || got.body != "ok\n" {
		t.Errorf("before: %d %s", got.status, got.body)
	}
	_ = s.command.Process.Signal(syscall.SIGTERM)
	eventually(t, "it is not ready", func() bool { return s.ask("GET /readyz", "").status == 503 })
	for range 20 { // on new connections, as from clients that don't know yet
		s.client.CloseIdleConnections()
		s.call("echo", "1", "1")
	}
	if ready, live := s.ask("GET /readyz", ""), s.ask("GET /healthz", ""); ready.told(t).Code != "closed" || live.status != 200 {
		t.Errorf("ready %s, live %d", ready.body, live.status)
	}
	_ = s.command.Process.Signal(syscall.SIGTERM) // the delay is over
	eventually(t, "it takes no connections", func() bool {
		conn, err := s.dial(t.Context())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	release()
	if got := <-held; got.body != `"held"` {
		t.Errorf("the call that ran got %d %s", got.status, got.body)
	}
	if code := s.awaitEnd(); code != 0 || exists(s.path("s.sock")) {
		t.Errorf("exit code %d", code)
	}
}

func TestTheDelayEndsByItself(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--shutdown-delay", "50ms")
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestCallsThatOutliveTheDrainAreToldSo(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--drain-timeout", "100ms", "--kill-grace", "100ms", "--workers", "2", "--concurrency", "1")
	_, held := s.hold("hold")
	_, spun := s.hold("spin")
	if code := s.end(); code != exitFailed || !strings.Contains(s.log.String(), "--drain-timeout") {
		t.Errorf("exit code %d", code)
	}
	for name, ended := range map[string]<-chan answerOf{"held": held, "spun": spun} {
		if got := <-ended; got.status != 503 || got.told(t).Code != "closed" || got.header.Get("Retry-After") != "" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
}

func TestAnotherSignalCutsTheDrainShort(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--drain-timeout", "1h")
	_, held := s.hold("hold")
	_ = s.command.Process.Signal(syscall.SIGTERM)
	eventually(t, "it drains", func() bool { return !exists(s.path("s.sock")) })
	_ = s.command.Process.Signal(syscall.SIGINT)
	if got := <-held; got.status != 503 || got.told(t).Code != "closed" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if code := s.awaitEnd(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}

func TestASignalToEndWhileTheCodeLoadsIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := prepare(t, `require('fs').writeFileSync(__dirname + '/loading', ''); for (;;);`)
		s.start()
		eventually(t, "the code loads", func() bool { return exists(s.path("loading")) })
		_ = s.command.Process.Signal(signal)
		if code := s.awaitEnd(); code != 0 || exists(s.path("s.sock")) {
			t.Errorf("exit code %d", code)
		}
	}
}

func TestRequestsDuringTheEndGetTheirAnswerOrNoConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--workers", "2")
	var all sync.WaitGroup
	var passed atomic.Int64
	for range 4 {
		all.Go(func() {
			for {
				got, err := s.tryAsk(context.Background(), "POST /call/echo", strings.NewReader("1"), asJSON)
				if err != nil {
					return // the listener is closed, or its connection was idle
				}
				if got.body != "1" && got.told(t).Code != "closed" {
					t.Errorf("got %d %s", got.status, got.body)
				}
				passed.Add(1)
			}
		})
	}
	eventually(t, "there is load", func() bool { return passed.Load() > 50 })
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	all.Wait()
}

func TestABusyWorkerIsNeitherUnreadyNorDead(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--workers", "1", "--concurrency", "1", "--heartbeat", "20ms", "--kill-grace", "40ms", "--call-timeout", "1h", "--queue-timeout", "1h")
	release, spun := s.hold("spin")
	waiting := make(chan answerOf, 1)
	go func() {
		got, _ := s.tryAsk(context.Background(), "POST /call/echo", strings.NewReader("1"), asJSON)
		waiting <- got
	}()
	eventually(t, "its event loop is found blocked, and a call waits", func() bool { stats := s.stats(); return stats.Suspect == 1 && stats.Queued == 1 })
	for range 20 {
		if ready, live := s.ask("GET /readyz", ""), s.ask("GET /healthz", ""); ready.status != 200 || live.status != 200 {
			t.Errorf("ready %d %s, live %d", ready.status, ready.body, live.status)
		}
	}
	release()
	if one, other := <-spun, <-waiting; one.body != `"spun"` || other.body != "1" {
		t.Errorf("got %s and %s", one.body, other.body)
	}
}

func TestWorkersEndWithIt(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--workers", "3")
	eventually(t, "all workers are there", func() bool { return s.stats().Ready == 3 })
	_ = s.command.Process.Kill()
	s.awaitEnd() // looks for processes that are left
}

func TestNoWorkerNeedRunWhileThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--min-workers", "0", "--workers", "1")
	if ready := s.ask("GET /readyz", ""); ready.status != 200 || s.stats().Boots != 0 {
		t.Errorf("got %d, %d boots", ready.status, s.stats().Boots)
	}
	started := time.Now()
	s.call("echo", "1", "1")
	t.Logf("the first call took %v", time.Since(started))
}

func TestTheLogsReaderMayEndBeforeIt(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell := underShell("exec 2>&3", command("serve", "--entry", s.entry, "--listen", s.listen, "--workers", "1", "--log-level", "debug"))
	shell.ExtraFiles = []*os.File{writer}
	s.startCommand(shell)
	_ = writer.Close()
	eventually(t, "it serves", func() bool { code, _, _ := s.run("check"); return code == 0 })
	_ = reader.Close()
	if got := s.ask("POST /call/nope", ""); got.status != 404 { // which is logged
		t.Errorf("got %d %s", got.status, got.body)
	}
	s.call("echo", "1", "1")
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestConnectionsThatNeverAskedForAnythingDoNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	open := boundConnections(listenAnywhere(t), 10)
	server := &http.Server{ConnState: open.See}
	go func() { _ = server.Serve(open) }()
	silent, err := net.Dial("tcp", open.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	eventually(t, "it is there", func() bool { open.mu.Lock(); defer open.mu.Unlock(); return open.open == 1 })
	_ = open.Close()
	_ = silent.SetReadDeadline(time.Now().Add(long))
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("it was not closed: %v", err)
	}
	_ = server.Close()
}

func listenAnywhere(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
