//go:build unix

package main

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"rootbridge"
)

func TestABodyPassesThroughAndTheResultComesInItsEncodingOrInTheOneAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	const (
		asMsgPack = "Content-Type: application/msgpack"
		asBytes   = "Content-Type: application/octet-stream"
		wantsJSON = "Accept: application/json"
		wantsPack = "Accept: application/msgpack;q=0.9, application/json;q=0.5"
	)
	for _, test := range []struct {
		name, method, body string
		headers            []string
		contentType, want  string
	}{
		{"JSON", "echo", `{"b":1,"a":[1e2]}`, []string{asJSON}, "application/json", `{"b":1,"a":[100]}`},
		{"JSON with a charset", "echo", `"é"`, []string{asJSON + "; charset=UTF-8"}, "application/json", `"é"`},
		{"JSON of a kind", "echo", `{}`, []string{"Content-Type: application/problem+json"}, "application/json", `{}`},
		{"JSON to MessagePack", "echo", `{"a":1}`, []string{asJSON, wantsPack}, "application/msgpack", "\x81\xa1a\x01"},
		{"JSON for whoever takes all", "echo", `1`, []string{asJSON, "Accept: text/html, */*;q=0.1"}, "application/json", `1`},
		{"JSON for whoever takes neither", "echo", `1`, []string{asJSON, "Accept: image/png"}, "application/json", `1`},
		{"JSON for a broken Accept", "echo", `1`, []string{asJSON, "Accept: ;;;/,application/msgpack;q=x"}, "application/json", `1`},
		{"MessagePack", "echo", "\x81\xa1a\xc4\x02\x00\xff", []string{asMsgPack}, "application/msgpack", "\x81\xa1a\xc4\x02\x00\xff"},
		{"MessagePack to JSON", "echo", "\x81\xa1a\x01", []string{asMsgPack, wantsJSON}, "application/json", `{"a":1}`},
		{"bytes", "echo", "\x00\xff", []string{asBytes}, "application/octet-stream", "\x00\xff"},
		{"bytes whatever is asked for", "bytes", `3`, []string{asJSON, wantsJSON}, "application/octet-stream", "\a\a\a"},
		{"no bytes", "bytes", `0`, []string{asJSON}, "application/octet-stream", ""},
		{"bytes as an argument", "kind", "a", []string{asBytes}, "application/json", `"bytes"`},
		{"no argument", "kind", "", nil, "application/json", `"undefined"`},
		{"no argument, of a type", "kind", "", []string{asJSON}, "application/json", `"undefined"`},
		{"null", "kind", "null", []string{asJSON}, "application/json", `"null"`},
		{"a list of arguments", "add?convention=args", `[1,2]`, []string{asJSON}, "application/json", `3`},
		{"a nested name", "math.twice", `4`, []string{asJSON}, "application/json", `8`},
		{"an escaped name", "m%61th%2Etwice", `4`, []string{asJSON}, "application/json", `8`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := s.ask("POST /call/"+test.method, test.body, test.headers...)
			if got.status != http.StatusOK || got.header.Get("Content-Type") != test.contentType || got.body != test.want {
				t.Errorf("got %d %s %q, want 200 %s %q", got.status, got.header.Get("Content-Type"), got.body, test.contentType, test.want)
			}
		})
	}
}

func TestAnEmptyBodyInChunksIsNoArgument(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	for _, headers := range [][]string{nil, {asJSON}} {
		if got, err := s.tryAsk(t.Context(), "POST /call/kind", io.MultiReader(), headers...); err != nil || got.body != `"undefined"` {
			t.Errorf("got %d %s, %v", got.status, got.body, err)
		}
	}
}

func TestNoResultIsNoContent(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	if got := s.ask("POST /call/nothing", ""); got.status != http.StatusNoContent || got.body != "" {
		t.Errorf("got %d %q", got.status, got.body)
	}
}

func TestEveryEndOfACallHasItsStatusAndItsErrorObject(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--max-payload", "2KiB", "--workers", "2")
	for _, test := range []struct {
		method, body string
		headers      []string
		status       int
		code, words  string
	}{
		{"refund", `{"id":7}`, nil, 500, "exception", "order 7 is not paid"},
		{"big", ``, nil, 500, "unencodable_result", "BigInt"},
		{"hold", `"/nowhere/at/all"`, nil, 500, "exception", "ENOENT"},
		{"nope", ``, nil, 404, "method_not_found", "no export"},
		{"__proto__", ``, nil, 404, "method_not_found", ""},
		{"constructor", ``, nil, 404, "method_not_found", ""},
		{"echo.constructor", ``, nil, 404, "method_not_found", ""},
		{"%00", ``, nil, 400, "invalid_argument", "path"},
		{strings.Repeat("a", 20_000), ``, nil, 400, "invalid_argument", "method name"},
		{"echo", `{"a":`, nil, 400, "invalid_argument", "JSON"},
		{"echo", "\xa1\xff", []string{"Content-Type: application/msgpack"}, 400, "invalid_argument", "the body is not valid as msgpack: the MessagePack value has text that is not UTF-8"},
		{"echo", "\xd4\xff\x00", []string{"Content-Type: application/msgpack"}, 400, "invalid_argument", "extension -1 with 1 bytes"},
		{"add?convention=args%zz", `[1]`, nil, 400, "invalid_argument", "nothing but convention=NAME"},
		{"add?a=1;convention=args", `[1]`, nil, 400, "invalid_argument", "nothing but convention=NAME"},
		{"add?conventoin=args", `[1]`, nil, 400, "invalid_argument", "nothing but convention=NAME"},
		{"add?convention=args&convention=value", `[1]`, nil, 400, "invalid_argument", "nothing but convention=NAME"},
		{"echo?convention=odd", `1`, nil, 400, "invalid_argument", "convention"},
		{"add?convention=args", `1`, nil, 400, "invalid_argument", "list"},
		{"text", `2500`, nil, 413, "too_large", "2048"},
		{"echo", quoted(strings.Repeat("x", 2047)), nil, 413, "too_large", "--max-payload"},
		{"hold", quoted(s.path("never")), []string{"Connect-Timeout-Ms: 20"}, 504, "deadline_exceeded", "20ms (--call-timeout, or Connect-Timeout-Ms)"},
		{"echo", `1`, []string{"Connect-Timeout-Ms: 0"}, 504, "deadline_exceeded", "did not run"},
		{"echo", `1`, []string{"Connect-Timeout-Ms: 1.5"}, 400, "invalid_argument", "Connect-Timeout-Ms"},
		{"echo", `1`, []string{"Connect-Timeout-Ms: -1"}, 400, "invalid_argument", "Connect-Timeout-Ms"},
		{"echo", `1`, []string{"Connect-Timeout-Ms: 12345678901"}, 400, "invalid_argument", "10 digits"},
	} {
		t.Run(test.method[:min(len(test.method), 20)]+" is "+test.code, func(t *testing.T) {
			t.Parallel()
			got := s.ask("POST /call/"+test.method, test.body, append([]string{asJSON}, test.headers...)...)
			told := got.told(t)
			if got.status != test.status || told.Code != test.code || !strings.Contains(told.Message, test.words) {
				t.Errorf("got %d %s, want %d %s with %q", got.status, got.body, test.status, test.code, test.words)
			}
		})
	}
}

func TestAWorkerThatDiesDuringACallIsABadGatewayAndReplaced(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	if got := s.ask("POST /call/exit", ""); got.status != 502 || got.told(t).Code != "worker_crashed" || !strings.Contains(got.body, "process.exit(7)") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	s.call("echo", "1", "1")
}

func TestStatusesCoverEveryCodeThatTheHostHas(t *testing.T) {
	t.Parallel()
	for _, code := range []rootbridge.Code{
		"exception", "method_not_found", "invalid_argument", "unencodable_result", "too_large", "protocol_error", "worker_crashed",
		"worker_unavailable", "boot_failed", "deadline_exceeded", "canceled", "queue_timeout", "overloaded", "closed",
	} {
		if _, ok := statuses[code]; !ok {
			t.Error(string(code))
		}
	}
	if len(statuses) != 14 || statusOf("of_a_later_worker") != http.StatusInternalServerError {
		t.Error(len(statuses), statusOf("of_a_later_worker"))
	}
}

func TestWhatDidNotRunForWantOfAWorkerMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	for code, flags := range map[string][]string{
		"overloaded":    {"--queue-limit", "0"},
		"queue_timeout": {"--queue-timeout", "20ms"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := serve(t, legacy, append(flags, "--concurrency", "1")...)
			release, held := s.hold("hold")
			got := s.ask("POST /call/echo", "1", asJSON)
			if got.status != 503 || got.told(t).Code != code || got.header.Get("Retry-After") != "1" {
				t.Errorf("got %d %s %v", got.status, got.body, got.header)
			}
			release()
			if got := <-held; got.body != `"held"` {
				t.Errorf("the call that ran ended with %d %s", got.status, got.body)
			}
			s.call("echo", "1", "1")
		})
	}
}

func TestCallsFailAtOnceWhileNoWorkerStarts(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	s.write("index.js", "throw new Error('broken on disk')")
	s.ask("POST /call/exit", "")
	var got answerOf
	eventually(t, "it gives up for the moment", func() bool {
		got = s.ask("POST /call/echo", "1", asJSON, "Connect-Timeout-Ms: 50")
		return got.status == http.StatusServiceUnavailable
	})
	if got.told(t).Code != "worker_unavailable" || !strings.Contains(got.body, "broken on disk") || strings.Contains(got.body, "   at ") {
		t.Errorf("got %s", got.body)
	}
	if ready, live := s.ask("GET /readyz", ""), s.ask("GET /healthz", ""); ready.status != 503 || live.status != 200 {
		t.Errorf("ready %d, live %d", ready.status, live.status)
	}
	s.write("index.js", legacy)
	eventually(t, "it heals itself", func() bool { return s.ask("GET /readyz", "").status == 200 })
	s.call("echo", "1", "1")
}

func TestStacksStayInTheLogUnlessClientsMaySeeThem(t *testing.T) {
	t.Parallel()
	hidden := serve(t, legacy)
	got := hidden.ask("POST /call/refund", `{"id":7}`, asJSON)
	told := got.told(t)
	if strings.Contains(got.body, "   at ") || strings.Contains(got.body, "index.js") || strings.Contains(got.body, "stack") {
		t.Errorf("a stack got out: %s", got.body)
	}
	if told.Name != "TypeError" || told.Cause == nil || told.Cause.Message != "no payment" || told.Fields["status"] != 409.0 {
		t.Errorf("got %s", got.body)
	}
	for _, text := range []string{`"a\n    at b (c.js:1:2)"`, `{"stack":"at x","m":["    at y (z.js)"]}`} {
		if got := hidden.ask("POST /call/thrown", text, asJSON); strings.Contains(got.body, "   at ") {
			t.Errorf("a stack got out: %s", got.body)
		}
	}
	hidden.await("index.js:")
	shown := serve(t, legacy, "--stacks")
	if told := shown.ask("POST /call/refund", `{"id":7}`, asJSON).told(t); !strings.Contains(told.Stack, "index.js:") || told.Cause.Stack == "" {
		t.Errorf("got %+v", told)
	}
}

const contextual = `
import { currentCall } from 'rootbridge';
export const context = () => { const { traceId, traceparent, deadline } = currentCall(); console.log('seen'); return { traceId, traceparent, left: deadline - Date.now() }; };
`

func TestTraceHeadersReachTheFunctionAndItsLogLines(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s := prepare(t, "")
	s.entry = s.write("index.mjs", contextual)
	s.start()
	s.await("msg=listening")
	got := s.ask("POST /call/context", "", "Traceparent: "+parent)
	if !strings.Contains(got.body, parent) || !strings.Contains(got.body, `"traceId":"0af7651916cd43dd8448eb211c80319c"`) {
		t.Errorf("got %s", got.body)
	}
	s.await("trace_id=0af7651916cd43dd8448eb211c80319c")
	got = s.ask("POST /call/context", "", "Traceparent: "+parent, "X-Request-Id: r-1")
	if !strings.Contains(got.body, `"traceId":"r-1"`) || got.header.Get("X-Request-Id") != "r-1" {
		t.Errorf("got %s %v", got.body, got.header)
	}
	s.await("trace_id=r-1")
	for _, bad := range []string{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "x", parent + strings.Repeat("x", 300),
	} {
		if got := s.ask("POST /call/context", "", "Traceparent: "+bad, "X-Request-Id: no id"); got.status != 200 || strings.Contains(got.body, "af76519") || strings.Contains(got.body, "no id") {
			t.Errorf("%q was passed on: %d %s", bad, got.status, got.body)
		}
	}
}

func TestATimeoutBeyondTheBoundIsCutToIt(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--call-timeout", "40ms", "--max-timeout", "80ms")
	for header, words := range map[string]string{"": "40ms", "Connect-Timeout-Ms: 60": "60ms", "Connect-Timeout-Ms: 9999999999": "80ms"} {
		headers := []string{asJSON}
		if header != "" {
			headers = append(headers, header)
		}
		if got := s.ask("POST /call/hold", quoted(s.path("never")), headers...); got.status != 504 || !strings.Contains(got.body, words) {
			t.Errorf("%q: got %d %s", header, got.status, got.body)
		}
	}
}

func TestAClientThatGoesAwayCancelsItsCall(t *testing.T) {
	t.Parallel()
	s := prepare(t, "")
	s.entry = s.write("index.mjs", `
		import { writeFileSync } from 'node:fs';
		import { currentCall } from 'rootbridge';
		export const wait = (file) => new Promise((end) => {
			currentCall().signal.addEventListener('abort', () => { writeFileSync(file + '.aborted', ''); end(); });
			writeFileSync(file + '.began', '');
		});`)
	s.start("--log-level", "debug")
	s.await("msg=listening")
	ctx, leave := context.WithCancel(t.Context())
	file := s.path("x")
	gone := make(chan error, 1)
	go func() {
		_, err := s.tryAsk(ctx, "POST /call/wait", strings.NewReader(quoted(file)), asJSON)
		gone <- err
	}()
	eventually(t, "the call runs", func() bool { return exists(file + ".began") })
	leave()
	if err := <-gone; err == nil {
		t.Error("the client got an answer")
	}
	eventually(t, "the function sees it", func() bool { return exists(file + ".aborted") })
	eventually(t, "it counts as canceled", func() bool { return s.stats().Failed["canceled"] == 1 })
	s.await("status=" + strconv.Itoa(statusCanceled))
}

func TestWithoutMessagePackWorkersLoadNone(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--codec", "json")
	s.call("echo", `{"a":1}`, `{"a":1}`)
	if got := s.ask("POST /call/echo", "\x01", "Content-Type: application/msgpack"); got.status != 415 || !strings.Contains(got.body, "--codec") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.ask("POST /call/echo", "1", asJSON, "Accept: application/msgpack"); got.body != "1" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.ask("POST /call/echo", "\x00\x01", "Content-Type: application/octet-stream"); got.body != "\x00\x01" {
		t.Errorf("got %d %q", got.status, got.body)
	}
}
