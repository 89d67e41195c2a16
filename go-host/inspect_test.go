package rootbridge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rootbridge"
)

// mapped writes a script that was made of shop.ts, and returns its path. Line 3 of shop.ts is line 5 of the script.
func mapped(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "shop.js.map", `{"version":3,"sources":["shop.ts"],"sourcesContent":[null],"names":[],"mappings":";;AAAA;AACA;AACA;AACA"}`)
	return writeFile(t, dir, "shop.js", `"use strict";
// made of shop.ts
exports.price = function price(amount) {
	const factor = 2;
	return amount * factor;
};
//# sourceMappingURL=shop.js.map
`)
}

func inspected(o *rootbridge.Options) {
	quick(o)
	o.Inspect, o.Workers = "0", 3
	o.CallTimeout, o.KillGrace, o.MaxLifetime = 200*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond
}

func TestABreakpointInLegacyCodeWorksThroughItsSourceMapAndIsNotTakenForAHang(t *testing.T) {
	t.Parallel()
	host := start(t, mapped(t), inspected)
	before := host.Stats().Workers
	if len(before) != 1 || !strings.HasPrefix(before[0].Inspector, "ws://127.0.0.1:") {
		t.Fatalf("the workers are %+v", before)
	}
	d := attach(t, before[0].Inspector, "shop.ts", "3")
	d.expect(t, `{"set":true}`)
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[int](t, host, "price", 21); got != 42 {
			t.Errorf("got %d", got)
		}
	})
	d.expect(t, `{"paused":{"source":"shop.ts","line":3,"argument":21}}`)
	time.Sleep(time.Second) // far longer than each of the limits, which are off
	d.resume()
	d.expect(t, `{"resumed":true}`)
	done.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done.Go(func() { d.expect(t, `{"paused":{"source":"shop.ts","line":3,"argument":5}}`) })
	expectCode(t, host.Call(ctx, "price", 5, nil), rootbridge.CodeDeadlineExceeded)
	done.Wait()
	d.resume()
	d.expect(t, `{"resumed":true}`)
	eventually(t, "the late answer was dropped", func() bool { return host.Stats().LateReplies == 1 })
	if s := host.Stats(); s.Restarts != 0 || s.Workers[0].PID != before[0].PID {
		t.Errorf("the worker was replaced: %+v", s)
	}
}

// freeAddress was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	syscall.ForkLock.RLock() // a program that another test is about to start would go on listening for a moment
	defer syscall.ForkLock.RUnlock()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestTheInspectorListensOnAGivenPortAndAReplacementOnAFreeOne(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	host := start(t, mapped(t), inspected, with(func(o *rootbridge.Options) { o.Inspect = address }))
	if got := host.Stats().Workers[0].Inspector; !strings.HasPrefix(got, "ws://"+address+"/") {
		t.Errorf("it listens at %s, expected %s", got, address)
	}
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "one worker is left", func() bool { return len(host.Stats().Workers) == 1 })
	if got := host.Stats().Workers[0].Inspector; !strings.HasPrefix(got, "ws://127.0.0.1:") || strings.Contains(got, address) {
		t.Errorf("the second worker's inspector is at %q", got)
	}
}

func TestAnInspectorThatOthersCouldReachIsRefused(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:9229", "192.168.1.1:9229", "example.com:1", "127.0.0.1", "127.0.0.1:99999", "-1", "x"} {
		e := startErr(t, rootbridge.Options{Source: busy, Inspect: address})
		expectCode(t, e, rootbridge.CodeInvalidArgument, "Options.Inspect")
	}
}

// debugger is a client of the inspector, a process of its own.
type debugger struct {
	stdin  io.WriteCloser
	stdout *bufio.Scanner
}

func attach(t *testing.T, url, source, line string) *debugger {
	t.Helper()
	cmd := exec.Command(nodeWithWebSocket(t), filepath.Join("..", "test", "support", "inspector-client.mjs"), url, source, line)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	return &debugger{stdin, bufio.NewScanner(stdout)}
}

// nodeWithWebSocket finds a Node 22 or newer, for the client: make test installs one.
func nodeWithWebSocket(t *testing.T) string {
	t.Helper()
	installed, err := filepath.Abs(filepath.Join("..", "node_modules", "node", "bin", "node"))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{installed, "node"} {
		if out, _ := exec.Command(node, "-p", "typeof WebSocket").Output(); string(out) == "function\n" {
			return node
		}
	}
	t.Skip("a debugger's client needs Node 22 or newer; make test brings it")
	return ""
}

func (d *debugger) expect(t *testing.T, want string) {
	t.Helper()
	d.stdout.Scan()
	var got, wanted any
	if json.Unmarshal(d.stdout.Bytes(), &got) != nil || json.Unmarshal([]byte(want), &wanted) != nil || !sameJSON(got, wanted) {
		t.Errorf("the debugger said %q, expected %s", d.stdout.Text(), want)
	}
}

func sameJSON(a, b any) bool {
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	return bytes.Equal(one, other)
}

func (d *debugger) resume() { _, _ = io.WriteString(d.stdin, "\n") }

func TestAReloadLetsACallUnderTheDebuggerFinish(t *testing.T) {
	t.Parallel()
	host := start(t, busy, inspected, with(func(o *rootbridge.Options) { o.DrainTimeout, o.CallTimeout = 100*time.Millisecond, long }))
	var done sync.WaitGroup
	done.Go(func() {
		if got := call[string](t, host, "sleep", 1500); got != "slept" {
			t.Errorf("got %q", got)
		}
	})
	eventually(t, "it runs", func() bool { return sent(host) == 1 })
	if err := host.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	done.Wait()
}
