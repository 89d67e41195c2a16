package rootbridgetest

import (
	"crypto/rand"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootbridge"
)

func TestADetachedProcessWithAnotherEnvironmentIsFound(t *testing.T) {
	t.Parallel()
	mark := rand.Text()
	host, err := rootbridge.Start(t.Context(), rootbridge.Options{
		Source: `
			import { spawn } from 'node:child_process';
			export const leave = () => { const c = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: {} }); c.unref(); return c.pid; };`,
		Workers: 1, Env: []string{processMark + "=" + mark}, Node: os.Getenv("ROOTBRIDGE_TEST_NODE"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	var pid int
	if err := host.Call(t.Context(), "leave", nil, &pid); err != nil {
		t.Fatal(err)
	}
	family := familyOf(mark)
	isLeft := func() bool {
		return slices.ContainsFunc(leftProcesses(mark, family), func(text string) bool { return strings.HasSuffix(text, " sleep 60 ") })
	}
	if !isLeft() {
		t.Error("the process is not found")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); isLeft(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a process that has ended is said to be left")
		}
	}
}
