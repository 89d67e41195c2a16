package lambda_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rootbridge/lambda"
)

func TestResultsAreResponses(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	servers := map[lambda.EventFormat]func(string) response{}
	for _, format := range []lambda.EventFormat{lambda.APIGatewayV2, lambda.APIGatewayV1, lambda.ALB, lambda.FunctionURL} {
		server := serve(t, host, "answer", lambda.Format(format))
		servers[format] = func(result string) response {
			return do(t, server, http.MethodPost, "/", result, "Content-Type", "application/json")
		}
	}
	const v2, v1, alb, url = lambda.APIGatewayV2, lambda.APIGatewayV1, lambda.ALB, lambda.FunctionURL
	for _, c := range []struct {
		format lambda.EventFormat
		result string
		status int
		body   string
		header http.Header
	}{
		{
			v2, `{"statusCode":201,"body":"made","headers":{"Content-Type":"text/html","X-N":5,"X-B":true,"X-Null":null}}`, 201, "made",
			http.Header{"Content-Type": {"text/html"}, "X-N": {"5"}, "X-B": {"true"}, "X-Null": nil},
		},
		{v2, `{"statusCode":"200","body":"<html>"}`, 200, "<html>", http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}},
		{v1, `{"statusCode":"404","body":"{}"}`, 404, "{}", http.Header{"Content-Type": {"application/json"}}},
		{alb, `{"statusCode":200,"statusDescription":"200 OK","body":"<html>"}`, 200, "<html>", http.Header{"Content-Type": {"application/octet-stream"}}},
		{url, `{"statusCode":200,"body":"a"}`, 200, "a", http.Header{"Content-Type": {"application/json"}}},
		{v2, `{"statusCode":200}`, 200, "", nil},
		{v2, `{"statusCode":200,"body":null,"headers":null,"multiValueHeaders":null,"cookies":null,"isBase64Encoded":null}`, 200, "", nil},
		{v2, `"Hello <b>"`, 200, "Hello <b>", http.Header{"Content-Type": {"application/json"}}},
		{v2, `{"message":"hi","StatusCode":300}`, 200, `{"message":"hi","StatusCode":300}`, http.Header{"Content-Type": {"application/json"}}},
		{url, `[1,{"a":"<"}]`, 200, `[1,{"a":"<"}]`, nil},
		{v2, `null`, 200, `null`, nil},
		{v2, `17`, 200, `17`, nil},
		{v2, `{"statusCode":200,"cookies":["a=1; Path=/","b=2"],"headers":{"set-cookie":"c=3"}}`, 200, "", http.Header{"Set-Cookie": {"c=3", "a=1; Path=/", "b=2"}}},
		{v1, `{"statusCode":200,"multiValueHeaders":{"x-a":["1","2",3]},"headers":{"X-A":"2","x-b":"4"}}`, 200, "", http.Header{"X-A": {"1", "2", "3"}, "X-B": {"4"}}},
		{v1, `{"statusCode":200,"headers":{"Set-Cookie":"a=1","set-cookie":"b=2"}}`, 200, "", http.Header{"Set-Cookie": {"a=1", "b=2"}}},
		{v1, `{"statusCode":200,"multiValueHeaders":{"content-type":["a/b"]},"headers":{"Content-Type":"c/d"}}`, 200, "", http.Header{"Content-Type": {"c/d"}}},
		{
			v2, `{"statusCode":200,"body":"abc","headers":{"Connection":"close, x-gone","X-Gone":"1","Keep-Alive":"timeout=5","Transfer-Encoding":"chunked","Content-Length":"99","Upgrade":"h2c","Trailer":"x","TE":"x"}}`, 200, "abc",
			http.Header{"Connection": nil, "X-Gone": nil, "Keep-Alive": nil, "Transfer-Encoding": nil, "Content-Length": {"3"}, "Upgrade": nil, "Trailer": nil, "Te": nil},
		},
		{v2, `{"statusCode":200,"body":"gAA/","isBase64Encoded":true,"headers":{"content-encoding":"br"}}`, 200, "\x80\x00?", http.Header{"Content-Encoding": {"br"}}},
		{v2, `{"statusCode":204,"body":"not allowed"}`, 204, "", http.Header{"Content-Type": nil, "Content-Length": nil}},
		{v2, `{"statusCode":205,"body":"not allowed"}`, 205, "", http.Header{"Content-Type": nil}},
		{v2, `{"statusCode":304,"body":"not allowed","headers":{"etag":"\"1\"","content-length":"11"}}`, 304, "", http.Header{"Etag": {`"1"`}, "Content-Length": nil}},
		{v2, `{"statusCode":302,"headers":{"Location":"/a/../b?c=%0d%0a"}}`, 302, "", http.Header{"Location": {"/a/../b?c=%0d%0a"}}},
		{v2, `{"statusCode":200,"headers":{"X-Text":"ä\t "}}`, 200, "", http.Header{"X-Text": {"ä"}}},
		{v2, `{"statusCode":599}`, 599, "", nil},
	} {
		got := servers[c.format](c.result)
		if got.StatusCode != c.status || got.body != c.body {
			t.Errorf("%s %s: %d %q", c.format, c.result, got.StatusCode, got.body)
		}
		for name, values := range c.header {
			if !slices.Equal(got.Header[name], values) {
				t.Errorf("%s %s: %s is %q", c.format, c.result, name, got.Header[name])
			}
		}
	}
}

func TestResultsThatAreNoResponsesAreAnsweredWith502(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	var logged records
	v2 := serve(t, host, "answer", lambda.Logger(jsonLogger(&logged)))
	v1 := serve(t, host, "answer", lambda.Format(lambda.APIGatewayV1), lambda.Logger(jsonLogger(&logged)))
	alb := serve(t, host, "answer", lambda.Format(lambda.ALBMultiValue), lambda.Logger(jsonLogger(&logged)))
	for _, result := range []string{`"text"`, `{"message":"hi"}`, `null`, `[]`, `{"body":"x"}`} {
		expectStatus(t, do(t, v1, http.MethodPost, "/", result), http.StatusBadGateway, "Internal server error")
		expectStatus(t, do(t, alb, http.MethodPost, "/", result, "Content-Type", "application/json"), http.StatusBadGateway, "Internal server error")
	}
	for _, result := range []string{
		`{"statusCode":99}`, `{"statusCode":100}`, `{"statusCode":101}`, `{"statusCode":199}`, `{"statusCode":600}`, `{"statusCode":0}`, `{"statusCode":-200}`,
		`{"statusCode":200.5}`, `{"statusCode":"+200"}`, `{"statusCode":"200 OK"}`, `{"statusCode":"0200"}`, `{"statusCode":null}`, `{"statusCode":[200]}`, `{"statusCode":true}`,
		`{"statusCode":99999999999999999999}`,
		`{"statusCode":200,"body":"a-secret%","isBase64Encoded":true}`, `{"statusCode":200,"body":"YQ","isBase64Encoded":true}`, `{"statusCode":200,"body":"a","isBase64Encoded":"true"}`,
		`{"statusCode":200,"body":{"a-secret":1}}`, `{"statusCode":200,"body":7}`, `{"statusCode":200,"body":["a"]}`,
		`{"statusCode":200,"headers":["a-secret"]}`, `{"statusCode":200,"headers":"a: b"}`, `{"statusCode":200,"headers":{"a":{"b":1}}}`, `{"statusCode":200,"headers":{"a":["b"]}}`,
		`{"statusCode":200,"multiValueHeaders":{"a":"a-secret"}}`, `{"statusCode":200,"multiValueHeaders":[]}`, `{"statusCode":200,"multiValueHeaders":{"a":[["b"]]}}`,
		`{"statusCode":200,"cookies":"a=1"}`, `{"statusCode":200,"cookies":[{}]}`,
	} {
		expectStatus(t, do(t, v2, http.MethodPost, "/", result, "Content-Type", "application/json"), http.StatusBadGateway, "Internal server error")
	}
	if text := logged.String(); strings.Contains(text, "a-secret") || !strings.Contains(text, "expected a statusCode from 200 to 599, got 600") {
		t.Errorf("logged: %s", text)
	}
}

func TestHeadersCanNotBeInjected(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "answer")
	for _, part := range []string{`\r\nX-Evil: 1`, `\nX-Evil: 1`, `\rX-Evil: 1`, `\u0000`, `\u007f`, `\u000b`} {
		for _, result := range []string{
			`{"statusCode":200,"headers":{"X-A":"a` + part + `"}}`,
			`{"statusCode":200,"headers":{"X-A` + part + `":"a"}}`,
			`{"statusCode":200,"multiValueHeaders":{"X-A":["b","a` + part + `"]}}`,
			`{"statusCode":200,"cookies":["a=1` + part + `"]}`,
			`{"statusCode":302,"headers":{"Location":"/a` + part + `"}}`,
		} {
			got := do(t, server, http.MethodPost, "/", result, "Content-Type", "application/json")
			expectStatus(t, got, http.StatusBadGateway, "Internal server error")
			if got.Header.Get("X-Evil") != "" || got.Header.Get("X-A") != "" {
				t.Errorf("%s: %q", result, got.Header)
			}
		}
	}
	for _, name := range []string{"", " ", "X A", "X-Ä", "X:A", "Trailer:X", "X-A ", "(x)"} {
		got := do(t, server, http.MethodPost, "/", `{"statusCode":200,"headers":{"`+name+`":"a"}}`, "Content-Type", "application/json")
		expectStatus(t, got, http.StatusBadGateway, "Internal server error")
	}
}

func TestHEADIsAnsweredWithoutABody(t *testing.T) {
	t.Parallel()
	const heads = `
		export const whole = async () => ({ statusCode: 200, body: 'whole', headers: { 'content-length': '99' } });
		export const length = async () => ({ statusCode: 200, headers: { 'content-length': '4711' } });
		export const wrong = async () => ({ statusCode: 200, headers: { 'content-length': '-1' } });
		export const fails = async () => { throw new Error('no'); };`
	host := start(t, heads)
	for method, length := range map[string]int64{"whole": 5, "length": 4711, "wrong": 0} {
		got := do(t, serve(t, host, method), http.MethodHead, "/", "")
		if got.StatusCode != http.StatusOK || got.body != "" || got.ContentLength != length {
			t.Errorf("%s: %d %d %q", method, got.StatusCode, got.ContentLength, got.body)
		}
	}
	if got := do(t, serve(t, host, "fails"), http.MethodHead, "/", ""); got.StatusCode != http.StatusBadGateway || got.body != "" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
}

func TestCookiesOfMiddlewareStayBesideTheHandlers(t *testing.T) {
	t.Parallel()
	handler := lambda.Handler(start(t, handlers), "answer")
	server := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("X-Frame-Options", "DENY")
		handler.ServeHTTP(w, r)
	}))
	got := do(t, server, http.MethodPost, "/", `{"statusCode":200,"cookies":["a=1","b=2"],"headers":{"x-frame-options":"SAMEORIGIN"}}`, "Content-Type", "application/json")
	if !slices.Equal(got.Header["Set-Cookie"], []string{"session=1", "a=1", "b=2"}) || !slices.Equal(got.Header["X-Frame-Options"], []string{"SAMEORIGIN"}) {
		t.Errorf("%q", got.Header)
	}
}
