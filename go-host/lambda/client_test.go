package lambda_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"rootbridge"
	"rootbridge/lambda"
)

func TestAClientThatGoesAwayCancelsItsCall(t *testing.T) {
	t.Parallel()
	host := start(t, handlers, func(o *rootbridge.Options) { o.Concurrency = 4 })
	errs := make(chan error, 1)
	server := serve(t, host, "hold", lambda.OnError(func(w http.ResponseWriter, _ *http.Request, err error) {
		lambda.WriteError(w, err)
		errs <- err
	}))
	counts := serve(t, host, "held")
	states := func() string { return do(t, counts, http.MethodGet, "/", "").body }
	p := startRequest(t, server.URL, "/")
	eventually(t, "the handler runs", func() bool { return states() == `{"isHeld":1,"aborted":0}` })
	p.cancel()
	if err := <-errs; rootbridge.CodeOf(err) != rootbridge.CodeCanceled || lambda.StatusOf(err) != lambda.StatusClientClosed {
		t.Errorf("%v", err)
	}
	eventually(t, "the handler's signal is aborted", func() bool { return states() == `{"isHeld":1,"aborted":1}` })
}

func TestRequestsDoNotLeakIntoOneAnother(t *testing.T) {
	t.Parallel()
	const module = `
		let last = 0;
		export const mix = async (event) => {
			await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
			if (event.queryStringParameters.n % 5 === 0) throw new Error('every fifth');
			return { statusCode: 200, headers: { 'x-n': event.headers['x-n'] }, cookies: event.cookies, body: event.body + event.rawPath };
		};`
	server := serve(t, start(t, module, func(o *rootbridge.Options) { o.Workers, o.Concurrency = 2, 8 }), "mix", lambda.Logger(jsonLogger(io.Discard)))
	ended := make(chan string)
	const all = 200
	for n := range all {
		go func() { ended <- mix(t, server, n) }()
	}
	for range all {
		if problem := <-ended; problem != "" {
			t.Error(problem)
		}
	}
}

// mix says what of a response belongs to another request.
func mix(t *testing.T, server *httptest.Server, n int) string {
	t.Helper()
	id := strconv.Itoa(n)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/"+id+"?n="+id, strings.NewReader("body "+id+" "))
	r.Header = http.Header{"X-N": {id}, "Cookie": {"n=" + id}, "Content-Type": {"text/plain"}}
	got, err := server.Client().Do(r)
	if err != nil {
		return err.Error()
	}
	defer got.Body.Close()
	text, _ := io.ReadAll(got.Body)
	if n%5 == 0 && got.StatusCode == http.StatusBadGateway && got.Header.Get("X-N") == "" {
		return ""
	}
	if want := "body " + id + " /" + id; string(text) != want || got.Header.Get("X-N") != id || got.Header.Get("Set-Cookie") != "n="+id {
		return fmt.Sprintf("%s: %d %q %q", id, got.StatusCode, got.Header, text)
	}
	return ""
}

func TestIdenticalRequestsHaveIdsOfTheirOwn(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "echo")
	first := decoded[events.APIGatewayV2HTTPRequest](t, do(t, server, http.MethodGet, "/", "")).RequestContext.RequestID
	if second := decoded[events.APIGatewayV2HTTPRequest](t, do(t, server, http.MethodGet, "/", "")).RequestContext.RequestID; first == second {
		t.Errorf("both are %s", first)
	}
}
