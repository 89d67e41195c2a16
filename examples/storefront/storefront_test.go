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
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rootbridge/rootbridgetest"
)

const (
	goodOrder = `{"email":"a@example.com","lines":[{"sku":"COF-ETH-250","quantity":2}],
		"shipping":{"name":"A","street":"B 1","zip":"04229","city":"Leipzig","country":"DE"}}`
	deadlyCart = `{"lines":[{"sku":"COF-HOUSE-500","quantity":1},{"sku":"JAM-APRI-200","quantity":1},{"sku":"FIL-PAPER-02","quantity":1}]}`
)

func TestEveryRouteAnswersWithTheJavaScriptsResult(t *testing.T) {
	t.Parallel()
	url, _ := serve(t)
	for _, test := range []struct{ name, request, body, contentType, want string }{
		{"a valid order", "POST /orders/validate", goodOrder, "application/json", `{"valid":true,"errors":[]}`},
		{"an invalid order", "POST /orders/validate", `{"lines":[]}`, "application/json", `"field":"email","rule":"required"`},
		{"any JSON is an order to judge", "POST /orders/validate", `null`, "application/json", `"valid":false`},
		{"a quote", "POST /quote", `{"lines":[{"sku":"COF-HOUSE-500","quantity":10}],"coupon":"WELCOME10"}`, "application/json", `"total":"98.01"`},
		{"a quote for another country", "POST /quote", `{"lines":[{"sku":"TEA-EARL-100","quantity":1}],"country":"FR"}`, "application/json", `"shipping":"9.90"`},
		{"an empty cart", "POST /quote", `{"lines":[]}`, "application/json", `"subtotal":"0.00"`},
		{"a mail", "POST /orders/1002/confirmation", "", "text/html; charset=utf-8", `Zoë O&#x27;Brien &amp; Sons &lt;Ltd&gt;`},
		{"an invoice", "GET /invoices/1001.pdf", "", "application/pdf", "%PDF-1."},
		{"a description", "POST /descriptions", `{"title":"Tea & Co","markdown":"*a* <script>b</script>"}`, "application/json", `"slug":"tea-and-co"`},
		{"stock", "GET /stock/COF-HOUSE-500", "", "application/json", `"free":459`},
		{"the best deals", "POST /optimise", `{"lines":[{"sku":"MUG-BLUE-300","quantity":1},{"sku":"MUG-SAND-300","quantity":1}]}`, "application/json", `"saving":"4.00"`},
		{"merged carts", "POST /carts/merge", `{"guest":{"lines":[{"sku":"TEA-EARL-100","quantity":1}]},"saved":{"lines":[{"sku":"OLD","quantity":1}]}}`, "application/json", `"dropped":["OLD"]`},
		{"the methods", "GET /methods", "", "application/json", `"invoices.render"`},
		{"the stats", "GET /stats", "", "application/json", `"succeeded"`},
		{"readiness", "GET /readyz", "", "text/plain", "ok"},
		{"liveness", "GET /livez", "", "text/plain", "ok"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, url, test.request, test.body)
			if got.status != http.StatusOK || got.header.Get("Content-Type") != test.contentType || !strings.Contains(got.body, test.want) {
				t.Errorf("got %d %s %.300s, want 200 %s with %s", got.status, got.header.Get("Content-Type"), got.body, test.contentType, test.want)
			}
		})
	}
}

func TestBadInputGetsAClearAnswer(t *testing.T) {
	t.Parallel()
	url, _ := serve(t)
	for _, test := range []struct {
		name, request, body string
		status              int
		want                string
	}{
		{"no JSON", "POST /quote", `{"lines":`, 400, "bad_request"},
		{"no body", "POST /orders/validate", ``, 400, "bad_request"},
		{"JSON of another shape", "POST /quote", `{"lines":"none"}`, 400, "bad_request"},
		{"a cart without lines", "POST /optimise", `{}`, 400, `a cart needs`},
		{"half of two carts", "POST /carts/merge", `{"guest":{"lines":[]}}`, 400, `a cart needs`},
		{"a body over the limit", "POST /descriptions", `"` + strings.Repeat("x", maxBody) + `"`, 413, "1 MiB"},
		{"an unknown article", "POST /quote", `{"lines":[{"sku":"NOPE","quantity":1}]}`, 422, `"code":"UNKNOWN_SKU","message":"line 1 can't be priced"`},
		{"an ended coupon", "POST /quote", `{"lines":[],"coupon":"SUMMER19"}`, 422, "COUPON_EXPIRED"},
		{"an unknown order", "GET /invoices/9999.pdf", "", 404, "order 9999 not found"},
		{"no order number", "POST /orders/abc/confirmation", "", 400, "expected an order number"},
		{"another file type", "GET /invoices/1001.doc", "", 400, "expected /invoices/"},
		{"an unknown stock", "GET /stock/NOPE", "", 404, "stock of NOPE not found"},
		{"an unknown path", "GET /nope", "", 404, ""},
		{"another method", "GET /quote", "", 405, ""},
		{"a bug of the old code", "POST /orders/1007/confirmation", "", 500, `"code":"exception","message":"Internal Server Error"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, url, test.request, test.body)
			if got.status != test.status || !strings.Contains(got.body, test.want) {
				t.Errorf("got %d %.300s, want %d with %s", got.status, got.body, test.status, test.want)
			}
		})
	}
}

func TestAJavaScriptStackReachesTheLogAndNoClient(t *testing.T) {
	t.Parallel()
	url, log := serve(t)
	got := ask(t, url, "POST /orders/1007/confirmation", "")
	if strings.Contains(got.body, "TypeError") || strings.Contains(got.body, "mail.js") {
		t.Errorf("the client was told %s", got.body)
	}
	failed := log.find("request failed")
	if len(failed) != 1 || !strings.Contains(fmt.Sprint(failed[0]["error"]), "mail.js:") {
		t.Errorf("got log lines %v, want one with a stack in mail.js", failed)
	}
}

func TestEveryConsoleLineCarriesItsRequestsTraceID(t *testing.T) {
	t.Parallel()
	server := startRun(t)
	var requests sync.WaitGroup
	for i := range 8 {
		requests.Go(func() {
			ask(t, server.url, fmt.Sprintf("POST /orders/%d/confirmation", 1001+i%6), "", "X-Request-Id", fmt.Sprint("trace-", i))
		})
	}
	requests.Wait()
	for i := range 8 {
		want := fmt.Sprintf("[mail] confirmation for order %d", 1001+i%6)
		eventually(t, fmt.Sprintf("%q is logged with trace-%d", want, i), func() bool {
			return slices.ContainsFunc(server.log.find(want), func(line map[string]any) bool {
				return line["trace_id"] == fmt.Sprint("trace-", i) && line["method"] == "mail.confirmation"
			})
		})
	}
}

func TestATraceIDIsTakenFromTheRequestOrMade(t *testing.T) {
	t.Parallel()
	url, _ := serve(t)
	for _, test := range []struct{ name, header, value, want string }{
		{"a request id", "X-Request-Id", "abc-1", "abc-1"},
		{"a traceparent", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"},
		{"a traceparent that is none", "Traceparent", "00-xyz", ""},
		{"a request id that is too long", "X-Request-Id", strings.Repeat("x", 129), ""},
		{"a request id to forge log lines with", "X-Request-Id", `x level=ERROR`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, url, "GET /methods", "", test.header, test.value).header.Get("X-Request-Id")
			if got == "" || test.want != "" && got != test.want || test.want == "" && got == test.value {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnEndlessLoopEndsWhileOthersGoOn(t *testing.T) {
	t.Parallel()
	server := startRun(t)
	before := server.pids(t)
	stuck, gone := answer{}, make(chan struct{})
	go func() {
		defer close(gone)
		stuck = ask(t, server.url, "POST /optimise", deadlyCart)
	}()

	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for answered := 0; ; answered++ {
				select {
				case <-gone:
					if answered < 2 {
						t.Errorf("another client got only %d answers meanwhile", answered)
					}
					return
				default:
				}
				if got := ask(t, server.url, "GET /stock/COF-ETH-250", ""); got.status != http.StatusOK {
					t.Errorf("another request got %d %s", got.status, got.body)
				}
			}
		})
	}
	others.Wait()
	if stuck.status != http.StatusGatewayTimeout || !strings.Contains(stuck.body, "deadline_exceeded") {
		t.Errorf("the loop's request got %d %s", stuck.status, stuck.body)
	}
	eventually(t, "one process is replaced", func() bool {
		after := server.pids(t)
		return len(after) == 2 && (alive(before[0]) != alive(before[1]))
	})
}

func TestTheServerEndsWithItsWholeProcessTree(t *testing.T) {
	t.Parallel()
	server := startRun(t)
	pids := server.pids(t)
	if len(pids) != 2 {
		t.Fatalf("got processes %v, want two", pids)
	}
	server.stop()
	if err := <-server.ended; err != nil {
		t.Errorf("run returned %v", err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
}

func TestWhatServeAdvisesToTryWorks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	url := startRun(t).url
	advice, err := os.ReadFile("try.txt")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for line := range strings.Lines(strings.ReplaceAll(string(advice), "http://127.0.0.1:8080", url)) {
		command := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "curl ", "curl -sS --max-time 30 ", 1))
		command.Dir = folder
		said, err := command.CombinedOutput()
		if err != nil || strings.Contains(string(said), "404 page not found") || strings.Contains(string(said), "bad_request") {
			t.Errorf("%s: %v: %s", line, err, said)
		}
	}
	if pdf, err := os.ReadFile(filepath.Join(folder, "invoice-1004.pdf")); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("the saved invoice starts with %.20q: %v", pdf, err)
	}
}

func TestAMissingBackendIsAClearError(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), config{entry: "legacy/nope.js", workers: 1}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "nope.js") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

// serve gives the server's routes over a real backend.
func serve(t *testing.T) (string, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	logger := slog.New(slog.NewJSONHandler(log, nil))
	host := rootbridgetest.Start(t, "legacy/index.js")
	server := httptest.NewServer(newHandler(host, logger))
	t.Cleanup(server.Close)
	return server.URL, log
}

// running is the whole program, as main runs it.
type running struct {
	url   string
	log   *logBuffer
	stop  context.CancelFunc
	ended chan error
}

func startRun(t *testing.T) running {
	t.Helper()
	log := &logBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	server := running{log: log, stop: stop, ended: make(chan error, 1)}
	cfg := config{addr: "127.0.0.1:0", entry: "legacy/index.js", workers: 2, callTimeout: time.Second, drainTimeout: 10 * time.Second}
	finished := make(chan struct{})
	go func() {
		server.ended <- run(ctx, cfg, slog.New(slog.NewJSONHandler(log, nil)))
		close(finished)
	}()
	t.Cleanup(func() { stop(); <-finished })
	eventually(t, "the server listens", func() bool { return len(log.find("listening")) == 1 })
	server.url = fmt.Sprint(log.find("listening")[0]["url"])
	eventually(t, "both processes are ready", func() bool { return len(server.pids(t)) == 2 })
	return server
}

func (r running) pids(t *testing.T) []int {
	t.Helper()
	var stats struct{ Workers []struct{ PID int } }
	if err := json.Unmarshal([]byte(ask(t, r.url, "GET /stats", "").body), &stats); err != nil {
		t.Fatal(err)
	}
	pids := []int{}
	for _, worker := range stats.Workers {
		pids = append(pids, worker.PID)
	}
	return pids
}

type answer struct {
	status int
	header http.Header
	body   string
}

func ask(t *testing.T, url, request, body string, headers ...string) answer {
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
	mu    sync.Mutex
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

func (b *logBuffer) find(message string) []map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []map[string]any{}
	for _, line := range b.lines {
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}
