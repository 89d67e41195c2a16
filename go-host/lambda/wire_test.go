package lambda_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"rootbridge/lambda"
)

// raw sends bytes that no client of Go's would, and returns the statuses of all responses.
func raw(t *testing.T, server *httptest.Server, text string) []int {
	t.Helper()
	conn := connect(t, server)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return statuses(conn)
}

func connect(t *testing.T, server *httptest.Server) *net.TCPConn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	tcp, isTCP := conn.(*net.TCPConn)
	if err := conn.SetDeadline(time.Now().Add(long)); err != nil || !isTCP {
		t.Fatal(err)
	}
	return tcp
}

// statuses reads responses until the end of the connection, which it asks for.
func statuses(conn *net.TCPConn) []int {
	_ = conn.CloseWrite()
	var all []int
	for reader := bufio.NewReader(conn); ; {
		got, err := http.ReadResponse(reader, nil)
		if err != nil {
			return all
		}
		_, _ = io.Copy(io.Discard, got.Body)
		_ = got.Body.Close()
		all = append(all, got.StatusCode)
	}
}

func TestMalformedRequestsReachNoHandler(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	server := serve(t, host, "echo")
	for _, text := range []string{
		"GARBAGE\r\n\r\n",
		"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n",
	} {
		if got := raw(t, server, text); len(got) != 1 || got[0] < 400 || got[0] >= 600 || got[0] == http.StatusBadGateway {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got := callsOf(host); got != 0 {
		t.Errorf("%d calls were made", got)
	}
	if got := do(t, server, http.MethodGet, "/", ""); got.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %d", got.StatusCode)
	}
}

func TestPathsArePassedOnAsTheyCame(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	for _, path := range []string{
		"/../../etc/passwd", "/a/./b//c/", "/%2e%2e/%2e%2e/etc", "/..%2f..%2fetc%2fpasswd", "/a%2Fb%2fc", "/%00%0d%0aX:1", "/caf%C3%A9", "/a+b;c=1,d", "//double", "/%252e", "/a:b@c",
	} {
		for _, format := range []lambda.EventFormat{lambda.APIGatewayV2, lambda.APIGatewayV1, lambda.ALB, lambda.FunctionURL} {
			server := serve(t, host, "echo", lambda.Format(format))
			conn := connect(t, server)
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path); err != nil {
				t.Fatal(err)
			}
			got, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(got.Body)
			_ = got.Body.Close()
			event := decoded[struct{ RawPath, Path string }](t, response{got, string(text)})
			if event.RawPath+event.Path != path {
				t.Errorf("%s: %q is %+v", format, path, event)
			}
		}
	}
}

func TestASlowClientHoldsNoWorkerAndIsDroppedInTime(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	server := listen(t, lambda.Handler(host, "echo"), func(s *http.Server) { s.ReadHeaderTimeout, s.ReadTimeout = time.Second, time.Second })
	var slow []*net.TCPConn
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na"} {
		conn := connect(t, server)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
	}
	if got := do(t, server, http.MethodGet, "/", ""); got.StatusCode != http.StatusOK {
		t.Errorf("beside slow clients: %d", got.StatusCode)
	}
	if host.Stats().InFlight != 0 {
		t.Error("a slow client holds the worker")
	}
	for i, conn := range slow { // without an end of their own: the server has to end them
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if i == 0 && err != nil {
			continue // a header that never ends is no request to answer
		}
		if err != nil || got.StatusCode != http.StatusRequestTimeout {
			t.Errorf("slow client %d: %v, %v", i, got, err)
			continue
		}
		_ = got.Body.Close()
	}
	if got := callsOf(host); got != 1 {
		t.Errorf("%d calls were made", got)
	}
}

func TestAHandlerMayTakeLongerThanItsRequestMay(t *testing.T) {
	t.Parallel()
	// It answers after the time that its request may take to be read.
	host := start(t, `export const late = async () => { await new Promise((resolve) => setTimeout(resolve, 1500)); return 'late'; }`)
	server := listen(t, lambda.Handler(host, "late"), func(s *http.Server) { s.ReadTimeout = time.Second })
	for _, body := range []string{"", "body"} {
		if got := do(t, server, http.MethodPost, "/", body); got.StatusCode != http.StatusOK || got.body != "late" {
			t.Errorf("%d %q", got.StatusCode, got.body)
		}
	}
}

func TestHTTP2RequestsAreEventsToo(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(lambda.Handler(start(t, handlers), "echo"))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	event := decoded[events.APIGatewayV2HTTPRequest](t, do(t, server, http.MethodPost, "/a%2Fb", "text", "X-Many", "a", "X-Many", "b", "Content-Type", "text/plain"))
	if event.RequestContext.HTTP.Protocol != "HTTP/2.0" || event.Headers["x-forwarded-proto"] != "https" || event.Headers["x-many"] != "a,b" || event.RawPath != "/a%2Fb" || event.Body != "text" || event.Headers["host"] == "" {
		t.Errorf("%+v", event)
	}
}

func TestABodyThatIsCutOffReachesNoHandler(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	errs := make(chan error, 1)
	server := serve(t, host, "echo", lambda.OnError(func(w http.ResponseWriter, _ *http.Request, err error) { errs <- err; lambda.WriteError(w, err) }))
	got := raw(t, server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
	if err := <-errs; !slices.Contains([]int{http.StatusBadRequest, lambda.StatusClientClosed}, lambda.StatusOf(err)) || callsOf(host) != 0 {
		t.Errorf("%v, %d", err, got)
	}
}
