package lambda_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/lambda"
)

func TestAnExceptionIsA502ThatTellsNothing(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	var logged records
	got := do(t, serve(t, host, "fails", lambda.Logger(jsonLogger(&logged))), http.MethodGet, "/path?token=abc", "")
	expectStatus(t, got, http.StatusBadGateway, "Internal server error")
	for _, word := range []string{"RangeError", "the secret is 42", `"level":"ERROR"`, `"path":"/path"`, `"status":502`, got.Header.Get("Apigw-Requestid")} {
		if !strings.Contains(logged.String(), word) {
			t.Errorf("the log has no %q: %s", word, logged.String())
		}
	}
	if strings.Contains(logged.String(), "token") {
		t.Errorf("the query is logged: %s", logged.String())
	}
	expectStatus(t, do(t, serve(t, host, "exits"), http.MethodGet, "/", ""), http.StatusBadGateway, "Internal server error")
	expectStatus(t, do(t, serve(t, host, "absent"), http.MethodGet, "/", ""), http.StatusBadGateway, "Internal server error")
}

func TestErrorsAreShownIfAskedFor(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	got := do(t, serve(t, host, "fails", lambda.ShowErrors()), http.MethodGet, "/", "")
	shown := decoded[struct {
		Message, ErrorType, ErrorMessage string
		Trace                            []string
	}](t, got)
	if got.StatusCode != http.StatusBadGateway || shown.Message != "Internal server error" || shown.ErrorType != "RangeError" || shown.ErrorMessage != "the secret is 42" {
		t.Errorf("%d %+v", got.StatusCode, shown)
	}
	if len(shown.Trace) < 2 || !strings.Contains(shown.Trace[1], "fails") {
		t.Errorf("the trace is %q", shown.Trace)
	}
	invalid := do(t, serve(t, host, "answer", lambda.ShowErrors()), http.MethodPost, "/", `{"statusCode":7}`, "Content-Type", "application/json")
	if !strings.Contains(invalid.body, "expected a statusCode from 200 to 599, got 7") {
		t.Errorf("%q", invalid.body)
	}
}

func TestErrorsCanBeAnsweredInAnotherWay(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	onError := lambda.OnError(func(w http.ResponseWriter, r *http.Request, err error) {
		var e *rootbridge.Error
		if errors.As(err, &e) && e.Name == "RangeError" && rootbridge.TraceID(r.Context()) != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("X-Status", http.StatusText(lambda.StatusOf(err)))
		lambda.WriteError(w, err)
	})
	expectStatus(t, do(t, serve(t, host, "fails", onError), http.MethodGet, "/", ""), http.StatusTeapot, "")
	other := do(t, serve(t, host, "answer", onError), http.MethodPost, "/", `{"statusCode":7}`, "Content-Type", "application/json")
	expectStatus(t, other, http.StatusBadGateway, "Internal server error")
	if other.Header.Get("X-Status") != "Bad Gateway" {
		t.Errorf("%q", other.Header)
	}
}

func TestACallThatTakesTooLongIsA504(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "hang", lambda.CallOptions(rootbridge.WithTimeout(50*time.Millisecond)))
	expectStatus(t, do(t, server, http.MethodGet, "/", ""), http.StatusGatewayTimeout, "Endpoint request timed out")
}

func TestACallThatFindsNoWorkerIsA503(t *testing.T) {
	t.Parallel()
	host := start(t, handlers, func(o *rootbridge.Options) { o.QueueLimit, o.QueueTimeout = 1, 50*time.Millisecond })
	server := serve(t, host, "hold")
	busy := startRequest(t, server.URL, "/")
	eventually(t, "the worker is busy", func() bool { return host.Stats().InFlight == 1 })
	queued := do(t, server, http.MethodGet, "/", "")
	expectStatus(t, queued, http.StatusServiceUnavailable, "Service Unavailable")
	if queued.Header.Get("Retry-After") != "1" {
		t.Errorf("%q", queued.Header)
	}
	busy.cancel()
	<-busy.done
}

func TestTheStatusOfEachEndOfACall(t *testing.T) {
	t.Parallel()
	for code, want := range map[rootbridge.Code][2]string{
		rootbridge.CodeDeadlineExceeded: {"Gateway Timeout"}, rootbridge.CodeOverloaded: {"Service Unavailable", "1"},
		rootbridge.CodeQueueTimeout: {"Service Unavailable", "1"}, rootbridge.CodeWorkerUnavailable: {"Service Unavailable", "1"},
		rootbridge.CodeClosed: {"Service Unavailable"}, rootbridge.CodeException: {"Bad Gateway"}, rootbridge.CodeWorkerCrashed: {"Bad Gateway"},
		rootbridge.CodeProtocolError: {"Bad Gateway"}, rootbridge.CodeTooLarge: {"Bad Gateway"}, rootbridge.CodeUnencodableResult: {"Bad Gateway"},
		rootbridge.CodeMethodNotFound: {"Bad Gateway"}, rootbridge.CodeInvalidArgument: {"Bad Gateway"}, rootbridge.CodeCanceled: {""},
	} {
		err := error(&rootbridge.Error{Code: code, Message: "secret"})
		recorded := httptest.NewRecorder()
		lambda.WriteError(recorded, err)
		if got := [2]string{http.StatusText(lambda.StatusOf(err)), recorded.Header().Get("Retry-After")}; got != want {
			t.Errorf("%q: %q, expected %q", string(code), got, want)
		}
		if text := recorded.Body.String(); strings.Contains(text, "secret") || recorded.Code != lambda.StatusOf(err) {
			t.Errorf("%q: %d %s", string(code), recorded.Code, text)
		}
	}
	if got := lambda.StatusOf(io.EOF); got != http.StatusInternalServerError {
		t.Errorf("an error of something else: %d", got)
	}
}

func TestBodiesHaveALimit(t *testing.T) {
	t.Parallel()
	host := start(t, handlers, func(o *rootbridge.Options) { o.MaxPayload = 64 << 10 })
	server := serve(t, host, "echo", lambda.MaxBody(1000))
	text := []string{"Content-Type", "text/plain"}
	if got := do(t, server, http.MethodPost, "/", strings.Repeat("a", 1000), text...); got.StatusCode != http.StatusOK {
		t.Errorf("at the limit: %d", got.StatusCode)
	}
	expectStatus(t, do(t, server, http.MethodPost, "/", strings.Repeat("a", 1001), text...), http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	chunked, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.MultiReader(strings.NewReader(strings.Repeat("a", 1001))))
	if err != nil {
		t.Fatal(err)
	}
	expectStatus(t, send(t, server.Client(), chunked), http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	if got := raw(t, server, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n"); !slices.Equal(got, []int{http.StatusRequestEntityTooLarge}) {
		t.Errorf("a body that waits to be asked for: %d", got)
	}
	expectStatus(t, do(t, serve(t, host, "echo", lambda.MaxBody(0)), http.MethodPost, "/", "a"), http.StatusRequestEntityTooLarge, "")
	expectStatus(t, do(t, serve(t, host, "echo"), http.MethodPost, "/", strings.Repeat("a", 64<<10), text...), http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	expectStatus(t, do(t, serve(t, host, "echo", lambda.Format(lambda.ALB)), http.MethodPost, "/", strings.Repeat("a", 1<<20+1), text...), http.StatusRequestEntityTooLarge, "")
}

func TestAResultThatIsTooLargeIsA502(t *testing.T) {
	t.Parallel()
	host := start(t, `export const large = async () => ({ statusCode: 200, body: 'a'.repeat(5000) })`, func(o *rootbridge.Options) { o.MaxPayload = 4096 })
	expectStatus(t, do(t, serve(t, host, "large"), http.MethodGet, "/", ""), http.StatusBadGateway, "Internal server error")
}

func TestWhatMethodsReachAHandler(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, `export const method = async (event) => event.requestContext.http.method`), "method")
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
		if got := do(t, server, method, "/", ""); got.body != method {
			t.Errorf("%s: %d %q", method, got.StatusCode, got.body)
		}
	}
	if got := raw(t, server, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"); !slices.Equal(got, []int{http.StatusMethodNotAllowed}) {
		t.Errorf("CONNECT: %d", got)
	}
}
