//go:build unix

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// api is a handler of HTTP requests: echo answers with its event, answer with the JSON in the request's body.
const api = `
const fs = require('fs');
const paths = {
  answer: (event) => JSON.parse(event.body),
  throw: () => { throw new RangeError('the secret is 42'); },
  exit: () => process.exit(7),
  bytes: (event) => ({ statusCode: 200, body: 'x'.repeat(Number(event.queryStringParameters.n)) }),
  hold: async (event) => {
    fs.writeFileSync(event.body + '.began', '');
    while (!fs.existsSync(event.body)) await new Promise((go) => setTimeout(go, 2));
    return { statusCode: 200, body: 'held' };
  },
};
const echo = (event) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) });
exports.handler = async (event) => (paths[(event.rawPath ?? event.path).slice(1)] ?? echo)(event);
exports.version = async () => 1;
`

// event is what echo answers with, of what is looked at.
type event struct {
	RawPath               string            `json:"rawPath"`
	Resource              string            `json:"resource"`
	Headers               map[string]string `json:"headers"`
	PathParameters        map[string]string `json:"pathParameters"`
	StageVariables        map[string]string `json:"stageVariables"`
	Body                  string            `json:"body"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
	QueryStringParameters map[string]string `json:"queryStringParameters"`
	RequestContext        struct {
		Stage string `json:"stage"`
		HTTP  struct {
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
	} `json:"requestContext"`
}

func (a answerOf) event(t *testing.T) (e event) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != 200 {
		t.Errorf("expected an event, got %d %.300q", a.status, a.body)
	}
	return e
}

// message is what API Gateway says in an answer that is none of the handler's.
func (a answerOf) message(t *testing.T) string {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || len(body) != 1 || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("expected a message alone, got %d %q", a.status, a.body)
	}
	return body["message"]
}

// serveFront starts one with --http, and returns it with what speaks to its --admin-listen.
func serveFront(t *testing.T, flags ...string) (front, admin *sidecar) {
	t.Helper()
	front = prepare(t, api)
	admin = front.at("unix:" + front.path("a.sock"))
	front.start(append([]string{"--http", "handler", "--admin-listen", admin.listen}, flags...)...)
	front.await("msg=listening")
	return front, admin
}

// at speaks to the same one at another address.
func (s *sidecar) at(listen string) *sidecar {
	other := &sidecar{t: s.t, dir: s.dir, entry: s.entry, listen: listen, url: s.url, log: s.log}
	other.connect()
	return other
}

func TestTheHandlerGetsEveryPathAsItCameAndManagementIsElsewhere(t *testing.T) {
	t.Parallel()
	front, admin := serveFront(t)
	for _, path := range []string{
		"/", "/healthz", "/readyz", "/workers", "/reload", "/call/handler", "/a/../b", "/a/%2e%2e/b", "//x", "/a//b/", "/..%2f..%2fetc%2fpasswd", "/%00",
	} {
		got := front.raw("POST " + path + " HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.Contains(got, `"rawPath":`+quoted(path)) {
			t.Errorf("%s: got %.300q", path, got)
		}
	}
	if got := front.ask("GET /", "").event(t); got.RequestContext.HTTP.SourceIP != "127.0.0.1" || got.Headers["x-forwarded-for"] != "127.0.0.1" {
		t.Errorf("who asks at a unix socket is %+v", got)
	}
	for _, probe := range []string{"GET /healthz", "GET /readyz"} {
		if got := admin.ask(probe, ""); got.status != 200 || got.body != healthy {
			t.Errorf("%s: got %d %s", probe, got.status, got.body)
		}
	}
	if got := admin.stats(); got.Reloads != 0 {
		t.Error("a visitor reloaded")
	}
	if got := admin.ask("POST /call/version", ""); got.status != 404 || strings.Contains(got.body, "/call") {
		t.Errorf("a call of management: got %d %s", got.status, got.body)
	}
	for _, args := range [][]string{{"check"}, {"workers"}, {"reload"}} {
		if code, _, stderr := front.run(append(args, "--admin-listen", admin.listen)...); code != 0 {
			t.Errorf("%v: got %d %s", args, code, stderr)
		}
		if code, stdout, stderr := front.run(args...); code != exitFailed || stdout != "" || !strings.Contains(stderr, "with serve --http it is at --admin-listen") {
			t.Errorf("%v takes the handler's answer for ours: %d %s%s", args, code, stdout, stderr)
		}
	}
}

func TestBrowsersMayAskTheHandlerAndNotManagement(t *testing.T) {
	t.Parallel()
	front := prepare(t, api)
	front.listen = "127.0.0.1:0"
	front.start("--http", "", "--entry", "index.handler", "--dir", front.dir, "--admin-listen", "127.0.0.1:0")
	front.atPort()
	admin := front.at(adminPort(front.log.String()))
	admin.url = "http://" + admin.listen
	for _, header := range []string{"Origin: https://shop.example", "Sec-Fetch-Site: cross-site", "Host: shop.example"} {
		if got := front.ask("POST /orders", "a=1", header); got.event(t).RawPath != "/orders" {
			t.Errorf("%s: got %d %s", header, got.status, got.body)
		}
		if got := admin.ask("POST /reload", "", header); got.status != 403 {
			t.Errorf("%s: got %d %s", header, got.status, got.body)
		}
	}
}

func adminPort(log string) string {
	_, rest, _ := strings.Cut(log, "admin_address=")
	return strings.Fields(rest)[0]
}

func TestTheNetworkGetsToTheHandlerOnlyIfThatIsSaid(t *testing.T) {
	t.Parallel()
	s := prepare(t, api)
	for words, flags := range map[string][]string{
		"--http-public":    {"--listen", "0.0.0.0:0"},
		"--admin-listen [": {"--listen", "0.0.0.0:0", "--http-public", "--admin-listen", "[::]:0"},
	} {
		args := append([]string{"serve", "--entry", s.entry, "--http", "handler", "--admin-listen", s.listen}, flags...)
		if code, _, stderr := execute(t, command(args...)); code != exitUsage || !strings.Contains(stderr, words) || !strings.Contains(stderr, "--token-file") {
			t.Errorf("%v: got %d %s", flags, code, stderr)
		}
	}
	s.listen = "0.0.0.0:0"
	s.start("--http", "handler", "--http-public", "--token-file", s.write("tokens", oneToken), "--admin-listen", "0.0.0.0:0")
	s.atPort()
	if got := s.ask("GET /", "", "Authorization: Bearer of-the-handler").event(t); got.Headers["authorization"] != "Bearer of-the-handler" {
		t.Errorf("got %+v", got)
	}
	_, port, _ := net.SplitHostPort(adminPort(s.log.String()))
	admin := s.at("127.0.0.1:" + port)
	for what, want := range map[string]int{"GET /readyz": 200, "GET /workers": 401, "POST /reload": 401} {
		if got := admin.ask(what, ""); got.status != want {
			t.Errorf("%s: got %d", what, got.status)
		}
	}
}

func TestATokenOpensTheHandlerAndIsNotShownToIt(t *testing.T) {
	t.Parallel()
	s := prepare(t, api)
	tokens := s.write("tokens", oneToken)
	admin := s.at("unix:" + s.path("a.sock"))
	s.start("--http", "handler", "--admin-listen", admin.listen, "--token-file", tokens)
	s.await("msg=listening")
	for _, header := range []string{"X-None: here", "Authorization: Bearer guess"} {
		if got := s.ask("POST /", "1", header); got.status != 401 || got.message(t) != "Unauthorized" || got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: got %d %s", header, got.status, got.body)
		}
	}
	if got := s.ask("POST /", "1", "Authorization: Bearer "+oneToken); got.status != 200 || strings.Contains(got.body, oneToken) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if code, _, stderr := s.run("check", "--admin-listen", admin.listen, "--token-file", tokens); code != 0 {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestTLSIsForTheNetworkAndManagementOnThisMachineHasNone(t *testing.T) {
	t.Parallel()
	s := prepare(t, api)
	authority := newAuthority(t)
	cert, key := authority.issue(t, s.dir, "server")
	admin := s.at("unix:" + s.path("a.sock"))
	s.listen = "127.0.0.1:0"
	s.start("--http", "handler", "--admin-listen", admin.listen, "--tls-cert", cert, "--tls-key", key)
	s.atPort()
	s.serial(t, authority.write(t, s.dir, "ca.pem"))
	if got := admin.ask("GET /readyz", ""); got.status != 200 {
		t.Errorf("got %d", got.status)
	}
}

func TestCallsAndManagementCanHaveAListenerEach(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	admin := s.at("unix:" + s.path("a.sock"))
	s.start("--admin-listen", admin.listen)
	s.await("msg=listening")
	s.call("echo", "1", "1")
	for _, what := range []string{"GET /workers", "GET /readyz"} {
		if here, there := s.ask(what, ""), admin.ask(what, ""); here.status != 404 || there.status != 200 {
			t.Errorf("%s: got %d and %d", what, here.status, there.status)
		}
	}
}

func TestWhatIsBadIsAnsweredInAPIGatewaysWordsAndHarmsNobody(t *testing.T) {
	t.Parallel()
	front, admin := serveFront(t, "--max-payload", "64KiB")
	answers := map[string]string{ // what the handler returns
		"bad base64":           `{"statusCode":200,"isBase64Encoded":true,"body":"%%%"}`,
		"a status that is bad": `{"statusCode":42}`,
		"an interim status":    `{"statusCode":101}`,
		"a header name":        `{"statusCode":200,"headers":{"a b":"c"}}`,
		"header injection":     `{"statusCode":200,"headers":{"a":"b\r\nSet-Cookie: c=d"}}`,
		"a cookie's injection": `{"statusCode":200,"cookies":["a=b\r\nX: y"]}`,
		"a body of no text":    `{"statusCode":200,"body":{}}`,
	}
	for name, answer := range answers {
		got := front.ask("POST /answer", answer, asJSON)
		if got.status != 502 || got.message(t) != "Internal server error" || len(got.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s: got %d %v %s", name, got.status, got.header, got.body)
		}
	}
	for path, status := range map[string]int{"/throw": 502, "/exit": 502} {
		if got := front.ask("GET "+path, "", "X-Request-Id: of-"+path[1:]); got.status != status || strings.Contains(got.message(t), "42") || got.header.Get("X-Request-Id") != "of-"+path[1:] {
			t.Errorf("%s: got %d %v %s", path, got.status, got.header, got.body)
		}
	}
	front.await("trace_id=of-throw")
	const post = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	for request, want := range map[string]string{
		"hello\r\n\r\n":                                    "400 Bad Request",
		"GET / HTTP/1.1\r\n\r\n":                           "400 Bad Request",
		post + "Content-Length : 1\r\n\r\n1":               "400 Bad Request",
		post + "Transfer-Encoding: gzip\r\n\r\n":           "501 Not Implemented",
		post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n": "400 Bad Request",
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n":    "431 Request Header Fields Too Large",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n": "405 Method Not Allowed",
	} {
		if got := front.raw(request); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%.60q: got %.200q, want %s", request, got, want)
		}
	}
	front.half(post + "Content-Length: 5\r\n\r\n1")
	if got := front.ask("POST /", "a=1", "Content-Type: application/x-www-form-urlencoded").event(t); !got.IsBase64Encoded || got.Body != base64.StdEncoding.EncodeToString([]byte("a=1")) {
		t.Errorf("another type of body: got %+v", got)
	}
	if got := admin.stats(); got.Suspect != 0 || admin.ask("GET /readyz", "").status != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestTheLimitsOfBodiesHoldForTheHandler(t *testing.T) {
	t.Parallel()
	front, admin := serveFront(t, "--max-payload", "128KiB", "--max-in-flight", "128KiB")
	hidden := "POST /hidden HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
	large := strings.Repeat("x", 200<<10) + hidden
	got := front.raw(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	if !strings.HasPrefix(got, "HTTP/1.1 413") || strings.Count(got, "HTTP/1.1") != 1 || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
	if got, err := front.tryAsk(t.Context(), "POST /", io.MultiReader(strings.NewReader(large))); err == nil && got.status != 413 {
		t.Errorf("in chunks: got %d %s", got.status, got.body)
	}
	body, part := strings.Repeat("x", 50<<10), strings.Repeat("x", 100<<10)
	var holding net.Conn
	var refused answerOf
	eventually(t, "there is no room for another", func() bool {
		if holding != nil { // its bytes had not been read yet, or it was refused itself
			_ = holding.Close()
		}
		holding = front.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 120000\r\n\r\n" + part)
		refused = front.ask("POST /", body, "Content-Type: text/plain")
		return refused.status != 200
	})
	if refused.status != 503 || refused.message(t) != "Service Unavailable" || refused.header.Get("Retry-After") == "" || !refused.closes {
		t.Errorf("got %d %v %s", refused.status, refused.header, refused.body)
	}
	_ = holding.Close()
	eventually(t, "its room is free again", func() bool { return front.ask("POST /", body, "Content-Type: text/plain").status == 200 })
	if strings.Contains(front.log.String(), "level=ERROR") || len(admin.stats().Failed) != 0 {
		t.Error("what clients did wrong is in the log, or came to a worker")
	}
}

func TestSlowClientsOfTheHandlerAreCutOffAndSlowAnswersAreNot(t *testing.T) {
	t.Parallel()
	const limit = time.Second // so long that those who are quick keep it on a busy machine, too
	front, admin := serveFront(t, "--workers", "2", "--read-header-timeout", limit.String(), "--read-timeout", limit.String(),
		"--write-timeout", limit.String(), "--call-timeout", "10m")
	release, held := front.holdFront()
	var all sync.WaitGroup
	for start, want := range map[string]string{
		"POST / HTTP/1.1\r\nHost: a\r\nX-Slow: ":                     "",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n": "HTTP/1.1 408",
	} {
		for range 10 {
			all.Go(func() {
				if got := front.drip(start); !strings.HasPrefix(got, want) {
					t.Errorf("%.30q: got %.200q, want %q", start, got, want)
				}
			})
		}
	}
	for range 20 {
		front.ask("GET /", "").event(t)
	}
	all.Wait()
	front.client.CloseIdleConnections()
	unread := front.send("GET /bytes?n=5000000 HTTP/1.1\r\nHost: a\r\n\r\n")
	defer unread.Close()
	eventually(t, "the handler has answered", func() bool { return admin.stats().Succeeded == 21 })
	eventually(t, "who does not read it is cut off", func() bool { return openSockets(front.path("s.sock")) <= 2 })
	time.Sleep(limit + limit/2) // longer than any of the limits
	release()
	if got := <-held; got.body != "held" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := admin.stats().Failed; len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// holdFront starts a request that lasts until release, and returns when its handler runs.
func (s *sidecar) holdFront() (release func(), outcome <-chan answerOf) {
	return s.holdBy("POST /hold", func(file string) string { return file }, "Content-Type: text/plain")
}

func TestHundredsOfIdleConnectionsKeepNoVisitorOut(t *testing.T) {
	t.Parallel()
	front, admin := serveFront(t, "--max-connections", "300", "--read-header-timeout", "1m")
	defer front.idle(500)()
	for range 3 { // on new connections
		front.client.CloseIdleConnections()
		front.ask("GET /", "").event(t)
	}
	if got := admin.ask("GET /readyz", ""); got.status != 200 {
		t.Errorf("got %d", got.status)
	}
}

func TestVisitorsNoticeNoReloadAndNoEnd(t *testing.T) {
	t.Parallel()
	front, admin := serveFront(t, "--workers", "2", "--shutdown-delay", "1h")
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				front.ask("GET /x", "").event(t)
			}
		})
	}
	if got := admin.ask("POST /reload", ""); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	_ = front.command.Process.Signal(syscall.SIGTERM)
	eventually(t, "it is not ready", func() bool { return admin.ask("GET /readyz", "").status == 503 })
	front.client.CloseIdleConnections()
	front.ask("GET /x", "").event(t)
	cancel()
	all.Wait()
	release, held := front.holdFront()
	_ = front.command.Process.Signal(syscall.SIGTERM) // the delay is over
	eventually(t, "it takes no connections", func() bool { return !exists(front.path("s.sock")) })
	if live := admin.ask("GET /healthz", ""); live.status != 200 {
		t.Errorf("while it drains: %d %s", live.status, live.body)
	}
	release()
	if got := <-held; got.body != "held" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if code := front.awaitEnd(); code != 0 || exists(front.path("a.sock")) {
		t.Errorf("exit code %d", code)
	}
}

func TestTooManyRequestsAndThoseThatOutliveTheDrainAreTurnedAway(t *testing.T) {
	t.Parallel()
	front, _ := serveFront(t, "--drain-timeout", "100ms", "--kill-grace", "100ms", "--queue-limit", "0")
	_, held := front.holdFront()
	if got := front.ask("GET /", ""); got.status != 503 || got.message(t) != "Service Unavailable" || got.header.Get("Retry-After") != "1" {
		t.Errorf("one too many: got %d %v %s", got.status, got.header, got.body)
	}
	if strings.Contains(front.log.String(), "request failed") {
		t.Error("refused requests, which may be many, are in the log")
	}
	if code := front.end(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if got := <-held; got.status != 503 || got.message(t) != "Service Unavailable" || got.header.Get("Retry-After") != "" {
		t.Errorf("got %d %v %s", got.status, got.header, got.body)
	}
}

func TestARequestHasTheCallTimeoutWhateverItsClientWants(t *testing.T) {
	t.Parallel()
	front, _ := serveFront(t, "--call-timeout", "300ms")
	release, held := front.holdFront()
	if got := <-held; got.status != 504 || got.message(t) != "Endpoint request timed out" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	release()
	eventually(t, "another worker serves", func() bool { return front.ask("GET /", "", "Connect-Timeout-Ms: 0").status == 200 })
}

func TestNothingOfOneVisitorGetsToAnother(t *testing.T) {
	t.Parallel()
	front, _ := serveFront(t, "--workers", "2")
	var all sync.WaitGroup
	for client := range 6 {
		all.Go(func() {
			for i := range 40 {
				own := fmt.Sprintf("%d-%d", client, i)
				switch i % 4 {
				case 1:
					front.half("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + own)
				case 2:
					if got := front.ask("GET /throw", ""); got.status != 502 {
						t.Errorf("got %d %s", got.status, got.body)
					}
				case 3:
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%3)*time.Millisecond)
					_, _ = front.tryAsk(ctx, "POST /"+own, strings.NewReader(own))
					cancel()
				default:
					got := front.ask("POST /"+own+"?q="+own, own, "Content-Type: text/plain", "X-Own: "+own).event(t)
					if got.RawPath != "/"+own || got.Body != own || got.Headers["x-own"] != own || got.QueryStringParameters["q"] != own {
						t.Errorf("%s got %+v", own, got)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestFlagsOfTheFrontReachTheEvent(t *testing.T) {
	t.Parallel()
	front, _ := serveFront(t, "--http-format", "apigateway-v1", "--http-stage", "prod", "--http-stage-variable", "table=orders,old",
		"--http-binary-media-type", "image/*", "--http-header-name", "X-GitHub-Event", "--http-trust-proxy", "--http-route", "GET /orders/{id}", "--http-route", "/files/{proxy...}")
	got := front.ask("GET /orders/7", "", "X-Forwarded-For: 192.0.2.1", "x-github-event: push").event(t)
	if got.Headers["X-GitHub-Event"] != "push" || got.PathParameters["id"] != "7" || got.Resource != "/orders/{id}" || got.RequestContext.Stage != "prod" ||
		got.StageVariables["table"] != "orders,old" || got.RequestContext.Identity.SourceIP != "192.0.2.1" {
		t.Errorf("got %+v", got)
	}
	if got := front.ask("POST /files/a/b", "x", "Content-Type: image/png").event(t); !got.IsBase64Encoded || got.PathParameters["proxy"] != "a/b" {
		t.Errorf("got %+v", got)
	}
	for _, what := range []string{"GET /", "POST /orders/7", "GET /orders/7/8", "GET /healthz"} {
		if got := front.ask(what, ""); got.status != 404 || got.message(t) != "Not Found" {
			t.Errorf("%s: got %d %s", what, got.status, got.body)
		}
	}
}

func TestStacksTellsVisitorsWhatTheHandlerThrew(t *testing.T) {
	t.Parallel()
	front, _ := serveFront(t, "--stacks")
	if got := front.ask("GET /throw", ""); got.status != 502 || !strings.Contains(got.body, `"errorType":"RangeError"`) || !strings.Contains(got.body, "index.js:") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestHandlerStringsThatLeadElsewhereLoadNothing(t *testing.T) {
	t.Parallel()
	s := prepare(t, api)
	for handler, words := range map[string]string{
		"../index.handler": "MalformedHandlerName", "../../etc/passwd.handler": "MalformedHandlerName", "index.absent": "HandlerNotFound",
	} {
		code, _, stderr := execute(t, command("serve", "--dir", s.dir, "--entry", handler, "--http", "", "--workers", "1", "--listen", s.listen, "--admin-listen", "127.0.0.1:0"))
		if code != exitBoot || !strings.Contains(stderr, words) {
			t.Errorf("%s: got %d %s", handler, code, stderr)
		}
	}
}

func TestItWarnsOfAHandlerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := prepare(t, api)
	s.start("--http", "../../handler", "--admin-listen", "unix:"+s.path("a.sock"))
	s.await("no export has the name")
	s.await("msg=listening")
	if got := s.ask("GET /", ""); got.status != 502 || got.message(t) != "Internal server error" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
