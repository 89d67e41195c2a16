package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
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
)

// emulatorFile is AWS's runtime interface emulator. It serves whatever its arguments are, and never ends by itself.
const emulatorFile = "../../.tools/aws-lambda-rie-1.170.0/aws-lambda-rie"

// long is more than any step takes.
const long = 60 * time.Second

// emulator runs this program as a function whose task root is a folder of this example. Its functions have 3 seconds.
type emulator struct {
	*exec.Cmd
	url   string
	ended chan struct{}
}

func startEmulator(t *testing.T, root string) *emulator {
	t.Helper()
	if _, err := os.Stat(emulatorFile); err != nil {
		t.Skipf("AWS's runtime interface emulator is not there; \"make rie\" fetches it, on Linux with python3 and pip: %v", err)
	}
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	root, err = filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	addresses := freeAddresses(t)
	e := &emulator{url: "http://" + addresses[0] + "/2015-03-31/functions/function/invocations", ended: make(chan struct{})}
	e.Cmd = exec.CommandContext(t.Context(), emulatorFile,
		"--runtime-interface-emulator-address", addresses[0], "--runtime-api-address", addresses[1], file, "index.handler")
	e.Env = append(os.Environ(), "LAMBDA_TASK_ROOT="+root, "AWS_LAMBDA_FUNCTION_NAME=orders", "AWS_LAMBDA_FUNCTION_TIMEOUT=3")
	e.Stdout, e.Stderr, e.WaitDelay = t.Output(), t.Output(), long
	e.Cancel = func() error { return e.Process.Signal(syscall.SIGTERM) } // that the function ends, too
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = e.Wait()
		close(e.ended)
	}()
	t.Cleanup(func() { e.end(t) })
	eventually(t, "the emulator listens", func() bool {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", addresses[0])
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	return e
}

// end ends the emulator as a container's end does.
func (e *emulator) end(t *testing.T) {
	t.Helper()
	_ = e.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(long):
		t.Error("the emulator does not end")
	}
}

// invoke returns what a caller of the function gets. header lists names and values in turn.
func (e *emulator) invoke(t *testing.T, event string, header ...string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url, strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: long, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// told is what the handler of testdata/faults sees of its invocation.
type told struct {
	PID, Remaining int
	ID, ARN        string
	Client         struct{ Custom map[string]string }
	Identity       json.RawMessage
}

func (e *emulator) tell(t *testing.T, header ...string) told {
	t.Helper()
	text := e.invoke(t, `{"do":"tell"}`, header...)
	var got told
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

// freeAddresses returns two that nobody listens on.
func freeAddresses(t *testing.T) [2]string {
	t.Helper()
	// Not 127.0.0.1, whose free ports others on this machine may take before the emulator does.
	host := fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	syscall.ForkLock.RLock() // a program that another test is about to start would go on listening for a moment
	defer syscall.ForkLock.RUnlock()
	first, second := listen(t, host), listen(t, host)
	defer first.Close()
	defer second.Close()
	return [2]string{first.Addr().String(), second.Addr().String()}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// buildDir is for the program, and is removed after the tests.
var buildDir string

var build = sync.OnceValues(func() (string, error) {
	file := filepath.Join(buildDir, "bootstrap")
	if output, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, output)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "lambda-bootstrap-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}
