package lambda_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rootbridge"
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
`

func TestAFunctionsFolderIsServedAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.js"), []byte(legacy), 0o600); err != nil {
		t.Fatal(err)
	}
	host := start(t, "index.handler", func(o *rootbridge.Options) { o.Dir, o.Lambda.FunctionName = dir, "orders" })
	got := do(t, serve(t, host, ""), http.MethodGet, "/a", "")
	if got.StatusCode != http.StatusOK || got.body != "orders /a" || got.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	streamed := do(t, serve(t, host, "stream"), http.MethodGet, "/", "")
	if streamed.StatusCode != http.StatusTeapot || streamed.body != "<p>\xff" || streamed.Header.Get("Content-Type") != "text/html" || !slices.Equal(streamed.Header["Set-Cookie"], []string{"a=1", "b=2"}) {
		t.Errorf("%d %q %q", streamed.StatusCode, streamed.Header, streamed.body)
	}
}
