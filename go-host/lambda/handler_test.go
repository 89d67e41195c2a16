package lambda_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/lambda"
)

// legacy is what the folder of a Lambda function has.
const legacy = `
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setInterval(() => {}, 1000);
  callback(null, { statusCode: '200', headers: { 'Content-Type': 'text/plain' }, body: context.functionName + ' ' + event.rawPath });
};
exports.stream = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 418, headers: { 'content-type': 'text/html' }, cookies: ['a=1', 'b=2'] });
  stream.write('<p>');
  await new Promise((resolve) => setTimeout(resolve, 5));
  stream.write(Buffer.from([0xff]));
  stream.end();
});
const streams = (write) => awslambda.streamifyResponse(async (event, stream) => write(stream));
exports.plain = streams((stream) => { stream.write('Hello '); stream.end('World'); });
exports.typed = streams((stream) => { stream.setContentType('text/html'); stream.end('<p>'); });
exports.json = streams((stream) => stream.end('{"statusCode":404,"body":"no response"}'));
exports.empty = streams((stream) => stream.end());
exports.headers = streams((stream) => awslambda.HttpResponseStream.from(stream, { headers: { 'content-type': 'text/css' } }).end('p {}'));
exports.blank = streams((stream) => { stream.setContentType('  '); stream.end('x'); });
exports.unfinished = streams((stream) => { stream.setContentType('application/vnd.awslambda.http-integration-response'); stream.end('{"statusCode":200}'); });
exports.injects = streams((stream) => { stream.setContentType('a/b\r\nX-Evil: 1'); stream.end('x'); });
`

// startLegacy starts a host for the folder.
func startLegacy(t *testing.T) *rootbridge.Host {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.js"), []byte(legacy), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, "index.handler", func(o *rootbridge.Options) { o.Dir, o.Lambda.FunctionName = dir, "orders" })
}

func TestAFunctionsFolderIsServedAsItIs(t *testing.T) {
	t.Parallel()
	host := startLegacy(t)
	got := do(t, serve(t, host, ""), http.MethodGet, "/a", "")
	if got.StatusCode != http.StatusOK || got.body != "orders /a" || got.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	streamed := do(t, serve(t, host, "stream"), http.MethodGet, "/", "")
	if streamed.StatusCode != http.StatusTeapot || streamed.body != "<p>\xff" || streamed.Header.Get("Content-Type") != "text/html" || !slices.Equal(streamed.Header["Set-Cookie"], []string{"a=1", "b=2"}) {
		t.Errorf("%d %q %q", streamed.StatusCode, streamed.Header, streamed.body)
	}
}

func TestAStreamWithoutAStatusIsABodyOfTheTypeThatItWasGiven(t *testing.T) {
	t.Parallel()
	host := startLegacy(t)
	for _, format := range []lambda.EventFormat{lambda.APIGatewayV2, lambda.APIGatewayV1, lambda.ALB, lambda.ALBMultiValue, lambda.FunctionURL} {
		for method, want := range map[string]struct{ body, contentType string }{
			"plain":   {"Hello World", "application/octet-stream"},
			"typed":   {"<p>", "text/html"},
			"json":    {`{"statusCode":404,"body":"no response"}`, "application/octet-stream"},
			"empty":   {"", "application/octet-stream"},
			"headers": {"p {}", "text/css"},
			"blank":   {"x", "application/octet-stream"},
		} {
			got := do(t, serve(t, host, method, lambda.Format(format)), http.MethodGet, "/", "")
			if got.StatusCode != http.StatusOK || got.body != want.body || got.Header.Get("Content-Type") != want.contentType {
				t.Errorf("%s %s: %d %q %q", format, method, got.StatusCode, got.Header, got.body)
			}
		}
	}
	for _, method := range []string{"injects", "unfinished"} {
		got := do(t, serve(t, host, method), http.MethodGet, "/", "")
		expectStatus(t, got, http.StatusBadGateway, "Internal server error")
	}
}

func TestWhatIsStreamedIsBytesToThoseWhoInvoke(t *testing.T) {
	t.Parallel()
	host := startLegacy(t)
	if got, err := lambda.Invoke[[]byte](t.Context(), host, "plain", nil); err != nil || string(got) != "Hello World" {
		t.Errorf("bytes: %q, %v", got, err)
	}
	if got, err := lambda.Invoke[json.RawMessage](t.Context(), host, "plain", nil); err != nil || string(got) != "Hello World" {
		t.Errorf("as they are: %q, %v", got, err)
	}
	type response struct{ StatusCode int }
	if got, err := lambda.Invoke[response](t.Context(), host, "json", nil); err != nil || got.StatusCode != http.StatusNotFound {
		t.Errorf("JSON: %+v, %v", got, err)
	}
	got, err := lambda.Invoke[response](t.Context(), host, "plain", nil)
	if rootbridge.CodeOf(err) != rootbridge.CodeUnencodableResult || !strings.Contains(err.Error(), "[]byte") || got.StatusCode != 0 {
		t.Errorf("what is no JSON: %+v, %v", got, err)
	}
	if got, err := lambda.Function(host, "plain").Invoke(t.Context(), []byte("{}")); err != nil || string(got) != "Hello World" {
		t.Errorf("a function: %q, %v", got, err)
	}
}

func TestAClientThatDoesNotReadItsAnswerIsCutOffAndASlowHandlerIsNot(t *testing.T) {
	t.Parallel()
	const module = `export const large = async () => {
		await new Promise((resolve) => setTimeout(resolve, 1500)); // longer than an answer may be written
		return { statusCode: 200, body: 'a'.repeat(6_000_000) };
	};`
	handler := lambda.Handler(start(t, module), "large", lambda.WriteTimeout(time.Second))
	ended := make(chan struct{})
	server := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if r.URL.Path == "/unread" {
			close(ended)
		}
	}))
	if got := do(t, server, http.MethodGet, "/", ""); got.StatusCode != http.StatusOK || len(got.body) != 6_000_000 {
		t.Errorf("%d with %d bytes", got.StatusCode, len(got.body))
	}
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("GET /unread HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(long):
		t.Error("its answer is written for ever")
	}
}
