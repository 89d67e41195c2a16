package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// shop is what all tests share: the functions, their tables and the routes to them.
var shop struct {
	url       string
	functions *functions
	log       *logBuffer
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(withShop{m}) }

type withShop struct{ *testing.M }

// Run runs the tests while the shop is open.
func (w withShop) Run() int {
	shop.log = &logBuffer{}
	logger := slog.New(slog.NewJSONHandler(shop.log, nil))
	tables, err := openTables(context.Background(), "")
	if err != nil {
		return fail(err)
	}
	defer tables.close()
	cfg := config{dir: "legacy", workers: 2, timeout: 20 * time.Second}
	shop.functions, err = startFunctions(context.Background(), cfg, tables.env, logger)
	if err != nil {
		return fail(err)
	}
	defer shop.functions.close()
	server := httptest.NewServer(newHandler(shop.functions, newQueue(time.Second), logger))
	defer server.Close()
	shop.url = server.URL
	code := w.M.Run()
	http.DefaultClient.CloseIdleConnections()
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request such as "GET /products" to the shop.
func ask(t *testing.T, request, body string, headers ...string) answer {
	t.Helper()
	return askAt(t, shop.url, request, body, headers...)
}

func askAt(t *testing.T, url, request, body string, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return answer{status: -1}
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return answer{status: -1}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

type product struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Price    float64 `json:"price"`
	Category string  `json:"category"`
	Stock    int     `json:"stock"`
}

// create makes a product for one test.
func create(t *testing.T, stock int) product {
	t.Helper()
	got := ask(t, "POST /products", fmt.Sprintf(`{"name":"Pot","price":24.5,"stock":%d}`, stock))
	if got.status != http.StatusCreated {
		t.Fatalf("creating a product: %d %s", got.status, got.body)
	}
	return decode[product](t, got.body)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// eventually waits, so long that only something that never happens takes longer.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it did not happen that %s", what)
		}
	}
}

func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}

// logBuffer keeps JSON log lines.
type logBuffer struct {
	mu    sync.Mutex // guards lines
	lines []map[string]any
}

func (b *logBuffer) Write(line []byte) (int, error) {
	record := map[string]any{}
	if err := json.Unmarshal(bytes.TrimSpace(line), &record); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, record)
	return len(line), nil
}

func (b *logBuffer) find(match func(record map[string]any) bool) []map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []map[string]any{}
	for _, line := range b.lines {
		if match(line) {
			found = append(found, line)
		}
	}
	return found
}

func says(message string) func(map[string]any) bool {
	return func(record map[string]any) bool { return record["msg"] == message }
}
