//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMalformedHTTPIsRefusedAndHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	const call = "POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
	t.Cleanup(func() { // after the others
		if code := s.end(); code != 0 {
			t.Errorf("it ended with %d", code)
		}
	})
	for name, test := range map[string]struct{ request, want string }{
		"no HTTP":                        {"hello\r\n\r\n", "400 Bad Request"},
		"a binary protocol":              {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 Bad Request"},
		"another version":                {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"},
		"no Host":                        {"GET /healthz HTTP/1.1\r\n\r\n", "400 Bad Request"},
		"two Hosts":                      {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"},
		"a header without a name":        {"GET /healthz HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "400 Bad Request"},
		"a space before the colon":       {call + "Content-Length : 1\r\n\r\n1", "400 Bad Request"},
		"a line break in a value":        {"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", "400 Bad Request"},
		"a length that is none":          {call + "Content-Length: -1\r\n\r\n", "400 Bad Request"},
		"two lengths":                    {call + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n12", "400 Bad Request"},
		"an unknown transfer encoding":   {call + "Transfer-Encoding: gzip\r\n\r\n", "501 Not Implemented"},
		"a chunk without a length":       {call + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "400 Bad Request"},
		"a body shorter than its length": {call + "Connection: close\r\nContent-Length: 2\r\n\r\n", ""},
		"a header over the limit":        {"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431 Request Header Fields Too Large"},
		"a path over the limit":          {"GET /" + strings.Repeat("x", 80<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "431 Request Header Fields Too Large"},
		"OPTIONS of everything":          {"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400 Bad Request"},
		"a proxy's request":              {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", "400 Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "a body shorter than its length" {
				s.half(test.request)
				return
			}
			if got := s.raw(test.request); !strings.HasPrefix(got, "HTTP/1.1 "+test.want) {
				t.Errorf("got %.200q, want %s", got, test.want)
			}
			s.call("echo", "1", "1")
		})
	}
}

// Whoever forwards these may take another part of them for the body, and what is left for somebody's next request.
var unclearRequests = map[string]string{
	"200 in chunks":                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
	"200 in chunks, with a length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
	"411 in chunks, of HTTP/1.0":   "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
	"200 with a length, HTTP/1.0":  "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1",
}

var statusLine = regexp.MustCompile(`HTTP/1\.\d \d+ `)

func TestNothingFollowsARequestWhoseEndOthersMaySeeElsewhere(t *testing.T) {
	t.Parallel()
	calls, front := serve(t, legacy), prepare(t, api)
	front.start("--http", "handler", "--admin-listen", "unix:"+front.path("a.sock"))
	front.await("msg=listening")
	for name, request := range unclearRequests {
		for path, s := range map[string]*sidecar{"/call/echo": calls, "/x": front} {
			got := s.raw(strings.Replace(request, " / ", " "+path+" ", 1) + "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if got[len("HTTP/1.x "):][:3] != name[:3] || len(statusLine.FindAllString(got, -1)) != 1 || !strings.Contains(got, "Connection: close") {
				t.Errorf("%s %s: got %q", name, path, got)
			}
		}
	}
}

// half sends a part of a request and goes away.
func (s *sidecar) half(text string) { _ = s.send(text).Close() }

func TestContentTypesThatAreNoneOfOursAreRefusedUnread(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	for _, header := range []string{
		"X-None: here", "Content-Type: application/x-www-form-urlencoded", "Content-Type: text/plain", "Content-Type: text/json",
		"Content-Type: application/json; charset=latin1", "Content-Type: multipart/form-data; boundary=x", "Content-Type: ;", "Content-Type: application/json; charset",
	} {
		if got := s.ask("POST /call/echo", "1", header); got.status != 415 || got.told(t).Code != "unsupported_media_type" {
			t.Errorf("%s: got %d %s", header, got.status, got.body)
		}
	}
	if got := s.ask("POST /call/echo", "1", asJSON, "Content-Encoding: gzip"); got.status != 415 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.stats(); got.Succeeded != 0 || len(got.Failed) != 0 {
		t.Errorf("calls were made: %+v", got)
	}
}

func TestABodyMayHaveMaxPayloadBytesAndNotOneMore(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--max-payload", "4KiB")
	atLimit := strings.Repeat("x", 4096)
	for name, body := range map[string]func(string) io.Reader{
		"with a length": func(text string) io.Reader { return strings.NewReader(text) },
		"in chunks":     func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) },
	} {
		got, err := s.tryAsk(t.Context(), "POST /call/kind", body(atLimit), "Content-Type: application/octet-stream")
		if err != nil || got.body != `"bytes"` {
			t.Errorf("%s, at the limit: got %d %s, %v", name, got.status, got.body, err)
		}
		got, err = s.tryAsk(t.Context(), "POST /call/kind", body(atLimit+"x"), "Content-Type: application/octet-stream")
		if err != nil || got.status != 413 || got.told(t).Code != "too_large" || !strings.Contains(got.body, "4096") {
			t.Errorf("%s, past the limit: got %d %s, %v", name, got.status, got.body, err)
		}
	}
}

func TestWhatFollowsABodyThatIsTooLargeIsNeverTakenForARequest(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--max-payload", "1KiB")
	hidden := "POST /call/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
	body := strings.Repeat(" ", 1200) + hidden
	got := s.raw(fmt.Sprintf("POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	if !strings.HasPrefix(got, "HTTP/1.1 413") || strings.Count(got, "HTTP/1.1") != 1 || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
	if got := s.stats(); got.Succeeded != 0 {
		t.Error("the call in the body was made")
	}
}

func TestBodiesOfAllRequestsTogetherAreBoundedByWhatHasArrived(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--max-payload", "64KiB", "--max-in-flight", "64KiB")
	large := quoted(strings.Repeat("x", 40<<10))
	promising := s.send("POST /call/kind HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\nContent-Length: 65536\r\n\r\n")
	s.call("echo", large, large) // promises hold nothing
	var holding net.Conn
	var got answerOf
	eventually(t, "there is no room for another", func() bool {
		if holding != nil { // its bytes had not been read yet, or it was refused itself
			_ = holding.Close()
		}
		holding = s.send("POST /call/kind HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 60<<10))
		got = s.ask("POST /call/echo", large, asJSON)
		return got.status != 200
	})
	if got.status != 503 || got.told(t).Code != "overloaded" || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	s.call("echo", "1", "1")
	_, _ = promising.Close(), holding.Close()
	eventually(t, "its room is free again", func() bool { return s.ask("POST /call/echo", large, asJSON).status == 200 })
}

func TestNoCallBeginsWhileAnswersThatNobodyTakesAreTooLarge(t *testing.T) {
	t.Parallel()
	calls, front := prepare(t, legacy), prepare(t, api+"paths['call/bytes'] = () => ({ statusCode: 200, body: 'x'.repeat(6e6) });")
	calls.start("--max-payload", "8MiB", "--max-in-flight", "8MiB")
	front.start("--max-payload", "8MiB", "--max-in-flight", "8MiB", "--http", "handler", "--admin-listen", "unix:"+front.path("a.sock"))
	for _, s := range []*sidecar{calls, front} {
		s.await("msg=listening")
		refused := func() bool { return s.ask("POST /call/nothing", "").status == 503 }
		if refused() {
			t.Error("it is refused before there is any answer")
		}
		ask := "POST /call/bytes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n6000000"
		unread, other := s.send(ask), s.send(ask)
		eventually(t, "no call begins", refused)
		if got := s.ask("POST /call/nothing", ""); got.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s", got.status, got.body)
		}
		_, _ = unread.Close(), other.Close()
		eventually(t, "calls begin again", func() bool { return !refused() })
	}
}

// send sends bytes on a connection of its own.
func (s *sidecar) send(text string) net.Conn {
	s.t.Helper()
	conn, err := s.dial(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // a refusal may come before all is written
	return conn
}

func TestPathsThatLeadElsewhereAreRefusedHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	for _, path := range []string{
		"/call/../reload", "/call/%2e%2e/reload", "/call/..%2freload", "/call/..%2f..%2fetc%2fpasswd", "/call//echo", "//call/echo",
		"/call/./echo", "/call/echo/", "/call/%2e%2e", "/call/..", "/call/echo%00",
	} {
		got := s.raw("POST " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, `"code":"invalid_argument"`) {
			t.Errorf("%s: got %q", path, got)
		}
	}
	for _, path := range []string{"/call/a%2Fb", `/call/a%5C..%5Cb`, "/call/math", "/call/toString", "/call/math.__proto__.x"} {
		if got := s.ask("POST "+path, ""); got.status != 404 || got.told(t).Code != "method_not_found" {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
	if got := s.stats(); got.Reloads != 0 || got.Succeeded != 0 {
		t.Errorf("one got through: %+v", got)
	}
}

func TestUnknownPathsAndMethodsAreAnsweredInTheSameForm(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	for what, want := range map[string]string{
		"GET /": "404 not_found", "GET /call": "404 not_found", "POST /call/a/b": "404 not_found", "GET /favicon.ico": "404 not_found",
		"GET /call/echo": "405 method_not_allowed POST", "OPTIONS /call/echo": "405 method_not_allowed POST", "BREW /call/echo": "405 method_not_allowed POST",
		"GET /reload": "405 method_not_allowed POST", "POST /workers": "405 method_not_allowed GET", "DELETE /healthz": "405 method_not_allowed GET",
	} {
		got := s.ask(what, "")
		if is := strings.TrimSpace(fmt.Sprint(got.status, " ", got.told(t).Code, " ", got.header.Get("Allow"))); is != want {
			t.Errorf("%s: got %s, want %s", what, is, want)
		}
	}
	if got := s.ask("HEAD /healthz", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: got %d %q", got.status, got.body)
	}
	if got, err := s.tryAsk(t.Context(), "POST /reload", io.MultiReader()); err != nil || got.status != 200 {
		t.Errorf("a reload with an empty body in chunks: got %d %s, %v", got.status, got.body, err)
	}
	if got := s.ask("POST /reload", "x"); got.status != 400 {
		t.Errorf("a reload with a body: got %d %s", got.status, got.body)
	}
}

func TestSlowHeadersAndSlowBodiesAreCutOffWhileOthersAreServed(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--read-header-timeout", "300ms", "--read-timeout", "300ms")
	slow := map[string]string{
		"a header": "POST /call/echo HTTP/1.1\r\nHost: a\r\nX-Slow: ",
		"a body":   "POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n\"",
		// Nobody reads this one: the server must not wait for it when it has answered.
		"a body of no use": "POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nx",
	}
	var all sync.WaitGroup
	for name, start := range slow {
		for range 20 {
			all.Go(func() {
				got := s.drip(start)
				if name == "a body" && (!strings.HasPrefix(got, "HTTP/1.1 408") || !strings.Contains(got, `"code":"request_timeout"`)) {
					t.Errorf("%s: got %q", name, got)
				}
			})
		}
	}
	for range 50 {
		s.call("echo", "1", "1")
	}
	all.Wait()
	if got := s.stats().Succeeded; got != 50 {
		t.Errorf("%d calls succeeded, of 50", got)
	}
}

// drip sends byte after byte until the server closes the connection, and returns what it said.
func (s *sidecar) drip(start string) string {
	conn, err := s.dial(s.t.Context())
	if err != nil {
		s.t.Error(err)
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(long))
	_, _ = io.WriteString(conn, start)
	closed := make(chan string, 1)
	go func() {
		text, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.t.Error("a slow client was never cut off")
		}
		closed <- string(text)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case text := <-closed:
			return text
		case <-tick.C:
			_, _ = io.WriteString(conn, "x")
		}
	}
}

func TestACallMayRunLongerThanItsBodyAndItsAnswerMayTake(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond
	s := serve(t, legacy, "--read-timeout", limit.String(), "--write-timeout", limit.String(), "--call-timeout", "1m")
	for range 2 { // the second on the first one's connection, which has been idle for long
		release, held := s.hold("hold")
		time.Sleep(3 * limit)
		release()
		if got := <-held; got.body != `"held"` {
			t.Errorf("got %d %s", got.status, got.body)
		}
		time.Sleep(restTime + limit)
	}
	if got := s.ask("POST /call/pause", ""); got.body != `"paused"` { // a body of none takes no time at all
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.stats(); got.Succeeded != 3 || len(got.Failed) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTheRestOfARefusedBodyIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	s.start("--read-timeout", "1h", "--token-file", s.write("tokens", oneToken))
	s.await("msg=listening")
	got := s.drip("POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n1")
	if !strings.HasPrefix(got, "HTTP/1.1 401") {
		t.Errorf("got %q", got)
	}
}

func TestItWarnsWhenCallsCanTakeAllConnections(t *testing.T) {
	t.Parallel()
	few := serve(t, legacy, "--max-connections", "1000")
	few.await("probes would wait")
	if enough := serve(t, legacy); strings.Contains(enough.log.String(), "probes would wait") {
		t.Error("it warns of its defaults")
	}
}

func TestAClientThatDoesNotReadItsAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--write-timeout", "200ms")
	conn, err := s.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /call/bytes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n16000000")
	eventually(t, "the call has ended", func() bool { return s.stats().Succeeded == 1 })
	eventually(t, "its connection is closed", func() bool { return openSockets(s.path("s.sock")) <= 2 })
	s.call("echo", "1", "1")
}

// openSockets counts the connections and listeners at a socket, on Linux.
func openSockets(path string) (n int) {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasSuffix(line, path) {
			n++
		}
	}
	return n
}

func TestHundredsOfIdleConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--max-connections", "500", "--queue-limit", "100", "--read-header-timeout", "1m")
	defer s.idle(800)()
	s.call("echo", "1", "1")
	for range 3 { // on new connections
		s.client.CloseIdleConnections()
		if got := s.ask("GET /readyz", ""); got.status != 200 {
			t.Errorf("got %d", got.status)
		}
	}
}

func TestIdleConnectionsKeepNobodyOutWhereFewFilesMayBeOpen(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	s.startCommand(underShell("ulimit -n 80", command("serve", "--entry", s.entry, "--listen", s.listen, "--workers", "1", "--read-header-timeout", "1m")))
	s.await("fewer connections than --max-connections")
	s.await("msg=listening")
	defer s.idle(70)()
	s.call("echo", "1", "1")
}

// idle opens connections that ask for nothing, and returns what closes them.
func (s *sidecar) idle(n int) (closeAll func()) {
	s.t.Helper()
	var idle []net.Conn
	for range n {
		conn, err := s.dial(s.t.Context())
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EMFILE) { // a shorter backlog, or fewer descriptors
			break
		}
		if err != nil {
			s.t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	s.t.Logf("%d idle connections", len(idle))
	return func() {
		for _, conn := range idle {
			_ = conn.Close()
		}
	}
}

func TestConnectionsWithRequestsAreNeverClosedForOthers(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--max-connections", "2")
	release, held := s.hold("hold")
	releaseOther, heldOther := s.hold("hold")
	waiting := make(chan answerOf, 1)
	go func() {
		got, err := s.tryAsk(context.Background(), "GET /healthz", http.NoBody)
		if err != nil {
			t.Error(err)
		}
		waiting <- got
	}()
	release()
	if got := <-held; got.body != `"held"` {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := <-waiting; got.status != 200 {
		t.Errorf("got %d", got.status)
	}
	releaseOther()
	if got := <-heldOther; got.body != `"held"` {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestNothingLeaksIntoAnotherRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--workers", "2", "--max-payload", "4KiB")
	var all sync.WaitGroup
	for client := range 8 {
		all.Go(func() {
			for i := range 60 {
				s.oneOf(client, i)
			}
		})
	}
	all.Wait()
	s.call("echo", "1", "1")
}

// oneOf makes one request, good or bad, and expects its own answer.
func (s *sidecar) oneOf(client, i int) {
	own := fmt.Sprintf(`"%d-%d-%s"`, client, i, strings.Repeat("x", rand.IntN(2000)))
	switch i % 6 {
	case 1:
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(3))*time.Millisecond)
		defer cancel()
		if got, err := s.tryAsk(ctx, "POST /call/echo", strings.NewReader(own), asJSON); err == nil && got.body != own {
			s.t.Errorf("got %q for %q", got.body, own)
		}
	case 2:
		if got := s.ask("POST /call/echo", own+"}", asJSON); got.status != 400 {
			s.t.Errorf("got %d %s", got.status, got.body)
		}
	case 3:
		s.half("POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n" + own)
	case 4:
		if got := s.ask("POST /call/thrown", own, asJSON); got.told(s.t).Value != strings.Trim(own, `"`) {
			s.t.Errorf("got %s for %s", got.body, own)
		}
	default:
		id := strconv.Itoa(client) + "-" + strconv.Itoa(i)
		if got := s.ask("POST /call/echo", own, asJSON, "X-Request-Id: "+id); got.body != own || got.header.Get("X-Request-Id") != id {
			s.t.Errorf("got %s %v for %s", got.body, got.header, own)
		}
	}
}

func TestRequestsInOneGoAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	conn, err := s.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(long))
	for i := range 20 {
		_, _ = fmt.Fprintf(conn, "POST /call/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n%d", 10+i)
	}
	reader := bufio.NewReader(conn)
	for i := range 20 {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(text) != strconv.Itoa(10+i) {
			t.Errorf("answer %d is %s", i, text)
		}
	}
}
