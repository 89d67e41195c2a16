package lambda_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rootbridge/lambda"
)

const frameworks = "../../test/fixtures/lambda/http"

func TestExpressAnswersThroughServerlessHTTP(t *testing.T) {
	t.Parallel()
	testFramework(t, "serverless-http.js", lambda.APIGatewayV2, lambda.APIGatewayV1, lambda.ALBMultiValue)
}

func TestExpressAnswersThroughServerlessExpress(t *testing.T) {
	t.Parallel()
	testFramework(t, "serverless-express.js", lambda.APIGatewayV2, lambda.APIGatewayV1, lambda.ALBMultiValue, lambda.FunctionURL)
}

func testFramework(t *testing.T, file string, formats ...lambda.EventFormat) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(frameworks, "node_modules", ".stamp")); err != nil {
		t.Skipf("the packages of %s are not installed; make test installs them", frameworks)
	}
	host := start(t, filepath.Join(frameworks, file))
	for _, format := range formats {
		server := serve(t, host, "", lambda.Format(format), lambda.BinaryMediaTypes("image/*"))
		name := file + " with " + string(format)
		hello := do(t, server, http.MethodGet, "/hello/a%2Fb%20c?x=1&x=2&y=%C3%A4", "", "Cookie", "s=1; t=2")
		seen := decoded[struct {
			Name, Cookie, Host, IP string
			Query                  map[string]any
		}](t, hello)
		// A framework that is given "1,2", as format 2.0 has it beside the raw query, may take either.
		if x := fmt.Sprint(seen.Query["x"]); seen.Name != "a/b c" || seen.Cookie != "s=1; t=2" || x != "[1 2]" && x != "1,2" || seen.Query["y"] != "ä" || seen.Host == "" {
			t.Errorf("%s: %+v of %q", name, seen, hello.body)
		}
		if got := hello.Header["Set-Cookie"]; !slices.Equal(got, []string{"a=1; Path=/", "b=2; Path=/"}) {
			t.Errorf("%s: cookies %q", name, got)
		}
		posted := do(t, server, http.MethodPost, "/json", `{"a":["ä",1]}`, "Content-Type", "application/json")
		if posted.StatusCode != http.StatusCreated || posted.body != `{"a":["ä",1]}` || !strings.HasPrefix(posted.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %q", name, posted.StatusCode, posted.body)
		}
		if got := do(t, server, http.MethodPost, "/form", "text=a%26b", "Content-Type", "application/x-www-form-urlencoded"); got.body != "a&b" {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.body)
		}
		if got := do(t, server, http.MethodPost, "/image", "\x00\xff\x80", "Content-Type", "image/png"); got.body != "\x80\xff\x00" || got.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.body)
		}
		if got := do(t, server, http.MethodGet, "/redirect", ""); got.StatusCode != http.StatusFound || got.Header.Get("Location") != "/hello/there" {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.Header)
		}
		if got := do(t, server, http.MethodHead, "/redirect", ""); got.StatusCode != http.StatusFound || got.body != "" {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.body)
		}
		if got := do(t, server, http.MethodGet, "/empty", ""); got.StatusCode != http.StatusNoContent || got.body != "" {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.body)
		}
		if got := do(t, server, http.MethodGet, "/fails", ""); got.StatusCode != http.StatusInternalServerError || got.body != `{"failed":"the app failed"}` {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.body)
		}
		if got := do(t, server, http.MethodGet, "/absent", ""); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
}
