package lambda_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"rootbridge/lambda"
)

var (
	uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	clf  = regexp.MustCompile(`^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$`)
)

// ask sends a request that has everything in it, to a host name of its own.
func ask(t *testing.T, server *httptest.Server, header ...string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a%2Fb/../c%20d?x=1&y=%C3%A4+%3D&x=2&&flag&bad=%zz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.example.com:8443"
	r.Header = http.Header{
		"X-Many": {"a", "b"}, "User-Agent": {"test/1"}, "Cookie": {"s=1; t=2", "u=3"}, "Connection": {"x-hop"}, "X-Hop": {"1"}, "Te": {"trailers"},
		"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"1"},
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return send(t, server.Client(), r)
}

const askedPath = "/a%2Fb/../c%20d"

func TestARequestIsAnEventOfFormat2ByDefault(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "echo", lambda.Stage("live", map[string]string{"table": "orders"}))
	got := ask(t, server)
	event := decoded[events.APIGatewayV2HTTPRequest](t, got)
	if event.Version != "2.0" || event.RawPath != askedPath || event.RawQueryString != "x=1&y=%C3%A4+%3D&x=2&&flag&bad=%zz" || event.RouteKey != "$default" {
		t.Errorf("%+v", event)
	}
	if want := map[string]string{"x": "1,2", "y": "ä =", "flag": "", "bad": "%zz"}; !reflect.DeepEqual(event.QueryStringParameters, want) {
		t.Errorf("query: %q", event.QueryStringParameters)
	}
	if !slices.Equal(event.Cookies, []string{"s=1", "t=2", "u=3"}) {
		t.Errorf("cookies: %q", event.Cookies)
	}
	for name, want := range map[string]string{
		"x-many": "a,b", "host": "shop.example.com:8443", "x-forwarded-for": "203.0.113.9, 127.0.0.1", "x-forwarded-proto": "http", "user-agent": "test/1",
	} {
		if event.Headers[name] != want {
			t.Errorf("%s is %q, expected %q", name, event.Headers[name], want)
		}
	}
	for _, name := range []string{"cookie", "connection", "x-hop", "te", "content-length"} {
		if value, is := event.Headers[name]; is {
			t.Errorf("%s is passed on: %q", name, value)
		}
	}
	if event.Headers["x-forwarded-port"] == "1" || event.Headers["x-forwarded-port"] == "" {
		t.Errorf("the port is %q", event.Headers["x-forwarded-port"])
	}
	c := event.RequestContext
	if c.HTTP != (events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "GET", Path: askedPath, Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", UserAgent: "test/1"}) {
		t.Errorf("%+v", c.HTTP)
	}
	if c.DomainName != "shop.example.com" || c.DomainPrefix != "shop" || c.APIID != "shop" || c.AccountID != "000000000000" || c.Stage != "live" || !clf.MatchString(c.Time) || c.TimeEpoch < 1e12 {
		t.Errorf("%+v", c)
	}
	if !uuid.MatchString(c.RequestID) || got.Header.Get("Apigw-Requestid") != c.RequestID {
		t.Errorf("the request id is %q, and %q in the response", c.RequestID, got.Header.Get("Apigw-Requestid"))
	}
	if event.StageVariables["table"] != "orders" || event.Body != "" || event.IsBase64Encoded {
		t.Errorf("%+v", event)
	}
	raw := decoded[map[string]map[string]any](t, response{got.Response, regexp.MustCompile(`"(version|routeKey|rawPath|rawQueryString)":"[^"]*",|"cookies":\[[^]]*\],|,"isBase64Encoded":false`).ReplaceAllString(got.body, "")})
	if _, is := raw["requestContext"]["authentication"]; is {
		t.Error("there is a client certificate in an event without one")
	}
}

func TestARequestIsAnEventOfARestAPI(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "echo", lambda.Format(lambda.APIGatewayV1), lambda.Stage("live", map[string]string{"table": "orders"}),
		lambda.AccountID("1"), lambda.APIID("2"), lambda.DomainName("api.example.org"))
	got := ask(t, server)
	event := decoded[events.APIGatewayProxyRequest](t, got)
	if event.Path != askedPath || event.HTTPMethod != "GET" || event.Resource != "/{proxy+}" || event.PathParameters["proxy"] != askedPath[1:] {
		t.Errorf("%+v", event)
	}
	if want := map[string][]string{"x": {"1", "2"}, "y": {"ä ="}, "flag": {""}, "bad": {"%zz"}}; !reflect.DeepEqual(event.MultiValueQueryStringParameters, want) {
		t.Errorf("query: %q", event.MultiValueQueryStringParameters)
	}
	if event.QueryStringParameters["x"] != "2" || event.Headers["X-Many"] != "b" || !slices.Equal(event.MultiValueHeaders["X-Many"], []string{"a", "b"}) {
		t.Errorf("%q, %q", event.QueryStringParameters, event.MultiValueHeaders)
	}
	if event.Headers["Host"] != "shop.example.com:8443" || event.MultiValueHeaders["Cookie"][0] != "s=1; t=2" || event.StageVariables["table"] != "orders" {
		t.Errorf("%q", event.MultiValueHeaders)
	}
	c := event.RequestContext
	if c.AccountID != "1" || c.APIID != "2" || c.DomainName != "api.example.org" || c.DomainPrefix != "api" || c.Stage != "live" || c.Path != "/live"+askedPath || c.HTTPMethod != "GET" || c.Protocol != "HTTP/1.1" {
		t.Errorf("%+v", c)
	}
	if c.Identity.SourceIP != "127.0.0.1" || c.Identity.UserAgent != "test/1" || c.RequestID != got.Header.Get("X-Amzn-Requestid") || !clf.MatchString(c.RequestTime) {
		t.Errorf("%+v", c)
	}
	raw := decoded[map[string]any](t, got)
	if body, is := raw["body"]; !is || body != nil || raw["isBase64Encoded"] != false {
		t.Errorf("no body is %v", raw["body"])
	}
}

func TestARequestIsAnEventOfALoadBalancer(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	single := decoded[events.ALBTargetGroupRequest](t, ask(t, serve(t, host, "echo", lambda.Format(lambda.ALB), lambda.TargetGroup("arn:mine"))))
	if single.Path != askedPath || single.HTTPMethod != "GET" || single.RequestContext.ELB.TargetGroupArn != "arn:mine" {
		t.Errorf("%+v", single)
	}
	if want := map[string]string{"x": "2", "y": "%C3%A4+%3D", "flag": "", "bad": "%zz"}; !reflect.DeepEqual(single.QueryStringParameters, want) {
		t.Errorf("query: %q", single.QueryStringParameters)
	}
	if single.Headers["x-many"] != "b" || single.MultiValueHeaders != nil || single.MultiValueQueryStringParameters != nil {
		t.Errorf("%+v", single)
	}
	multi := decoded[events.ALBTargetGroupRequest](t, ask(t, serve(t, host, "echo", lambda.Format(lambda.ALBMultiValue))))
	if !slices.Equal(multi.MultiValueHeaders["x-many"], []string{"a", "b"}) || !slices.Equal(multi.MultiValueQueryStringParameters["x"], []string{"1", "2"}) {
		t.Errorf("%+v", multi)
	}
	if multi.Headers != nil || multi.QueryStringParameters != nil || multi.RequestContext.ELB.TargetGroupArn == "" {
		t.Errorf("%+v", multi)
	}
}

func TestAnEventWithoutAQueryHasWhatAWSHasInItsPlace(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	for format, want := range map[lambda.EventFormat]string{
		lambda.APIGatewayV2: `{}`, lambda.FunctionURL: `{}`,
		lambda.APIGatewayV1:  `{"queryStringParameters":null,"multiValueQueryStringParameters":null}`,
		lambda.ALB:           `{"queryStringParameters":{}}`,
		lambda.ALBMultiValue: `{"multiValueQueryStringParameters":{}}`,
	} {
		event := decoded[map[string]json.RawMessage](t, do(t, serve(t, host, "echo", lambda.Format(format)), http.MethodGet, "/", ""))
		got := map[string]json.RawMessage{}
		for name, value := range event {
			if strings.HasSuffix(strings.ToLower(name), "querystringparameters") {
				got[name] = value
			}
		}
		if have, _ := json.Marshal(got); !reflect.DeepEqual(decoded[any](t, response{body: string(have)}), decoded[any](t, response{body: want})) {
			t.Errorf("%s: %s", format, have)
		}
	}
}

func TestARequestIsAnEventOfAFunctionURL(t *testing.T) {
	t.Parallel()
	got := ask(t, serve(t, start(t, handlers), "echo", lambda.Format(lambda.FunctionURL)))
	event := decoded[events.LambdaFunctionURLRequest](t, got)
	if event.Version != "2.0" || event.RawPath != askedPath || event.QueryStringParameters["x"] != "1,2" || event.Headers["x-many"] != "a,b" || len(event.Cookies) != 3 {
		t.Errorf("%+v", event)
	}
	c := event.RequestContext
	if c.AccountID != "anonymous" || c.RequestID != got.Header.Get("X-Amzn-Requestid") || c.HTTP.Path != askedPath || c.HTTP.SourceIP != "127.0.0.1" || c.DomainPrefix != "shop" {
		t.Errorf("%+v", c)
	}
	type place struct{ RouteKey, Stage string }
	raw := decoded[struct {
		RouteKey       string
		RequestContext place
	}](t, got)
	if raw.RouteKey != "$default" || raw.RequestContext != (place{"$default", "$default"}) {
		t.Errorf("the route and stage that the type lacks: %+v", raw)
	}
}

func TestHeadersOfARestAPIsEventHaveTheSpellingThatIsAskedFor(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	names := lambda.HeaderNames("X-GitHub-Event", "content-type", "X-Absent")
	send := func(format lambda.EventFormat) response {
		return do(t, serve(t, host, "echo", lambda.Format(format), names), http.MethodPost, "/", "{}", "x-github-event", "push", "Content-Type", "application/json", "X-OTHER", "1")
	}
	event := decoded[events.APIGatewayProxyRequest](t, send(lambda.APIGatewayV1))
	for _, name := range []string{"X-GitHub-Event", "content-type", "X-Other"} {
		if event.Headers[name] == "" || len(event.MultiValueHeaders[name]) != 1 {
			t.Errorf("%s: %q", name, event.Headers)
		}
	}
	for _, name := range []string{"X-Github-Event", "Content-Type", "X-Absent"} {
		if _, is := event.Headers[name]; is {
			t.Errorf("%s: %q", name, event.Headers)
		}
	}
	for _, format := range []lambda.EventFormat{lambda.APIGatewayV2, lambda.ALB, lambda.FunctionURL} {
		if got := decoded[struct{ Headers map[string]string }](t, send(format)); got.Headers["x-github-event"] != "push" {
			t.Errorf("%s: %q", format, got.Headers)
		}
	}
	defer func() {
		if reason := fmt.Sprint(recover()); !strings.Contains(reason, `got "X Y"`) {
			t.Errorf("what can't be a name: %s", reason)
		}
	}()
	lambda.Handler(host, "", lambda.HeaderNames("X Y"))
}

func TestBodiesAreTextOrBase64AsOnAWS(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	form := lambda.BinaryMediaTypes("application/x-www-form-urlencoded", "image/*")
	for _, c := range []struct {
		contentType, encoding, body string
		format                      lambda.EventFormat
		option                      lambda.Option
		isBase64                    bool
	}{
		{contentType: "application/json; charset=utf-8", body: `{"<ä>":1}`},
		{contentType: "TEXT/CSV", body: "a;b"},
		{contentType: "application/xml", body: "<a/>"},
		{body: "no type"},
		{contentType: "text/plain", body: "latin \xe4", isBase64: true},
		{contentType: "text/plain", encoding: "gzip", body: "zipped", isBase64: true},
		{contentType: "application/x-www-form-urlencoded", body: "a=1", isBase64: true},
		{contentType: ";;;/", body: "wrong type", isBase64: true},
		{contentType: "image/png", body: "\x89PNG\x00\xff", isBase64: true},
		{contentType: "image/png", body: "\x89PNG\x00\xff", format: lambda.APIGatewayV1, isBase64: true},
		{contentType: "image/svg+xml", body: "<svg/>", format: lambda.APIGatewayV1},
		{contentType: "image/svg+xml", body: "<svg/>", format: lambda.APIGatewayV1, option: form, isBase64: true},
		{contentType: "application/x-www-form-urlencoded", body: "a=1", format: lambda.ALB, option: form, isBase64: true},
		{contentType: "application/pdf", body: "a", option: form},
		{contentType: "application/json", body: "{}", option: lambda.BinaryMediaTypes("*/*"), isBase64: true},
		{contentType: "application/pdf", body: "a", option: lambda.BinaryMediaTypes()},
		{contentType: "application/pdf", body: "a", format: lambda.FunctionURL, isBase64: true},
	} {
		options := []lambda.Option{lambda.Format(lambda.APIGatewayV2)}
		if c.format != "" {
			options[0] = lambda.Format(c.format)
		}
		if c.option != nil {
			options = append(options, c.option)
		}
		header := []string{"Content-Type", c.contentType, "Content-Encoding", c.encoding}
		if c.contentType == "" {
			header = nil
		} else if c.encoding == "" {
			header = header[:2]
		}
		event := decoded[events.APIGatewayProxyRequest](t, do(t, serve(t, host, "echo", options...), http.MethodPost, "/", c.body, header...))
		want := c.body
		if c.isBase64 {
			want = base64.StdEncoding.EncodeToString([]byte(c.body))
		}
		if event.Body != want || event.IsBase64Encoded != c.isBase64 {
			t.Errorf("%+v: %q, %v", c, event.Body, event.IsBase64Encoded)
		}
	}
}

func TestBytesPassBothWays(t *testing.T) {
	t.Parallel()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	got := do(t, serve(t, start(t, handlers), "bytes"), http.MethodPost, "/", string(all), "Content-Type", "image/png")
	slices.Reverse(all)
	if got.body != string(all) || got.Header.Get("Content-Type") != "image/png" || got.ContentLength != 256 {
		t.Errorf("%d %q %q", got.StatusCode, got.Header, got.body)
	}
}

func TestPatternsAreRoutesWithPathParameters(t *testing.T) {
	t.Parallel()
	host := start(t, handlers)
	for _, c := range []struct{ pattern, path, key, resource, parameters string }{
		{"GET /orders/{id}", "/orders/a%2Fb", "GET /orders/{id}", "/orders/{id}", `{"id":"a/b"}`},
		{"/orders/{id}/{$}", "/orders/7/", "ANY /orders/{id}/", "/orders/{id}/", `{"id":"7"}`},
		{"/files/{path...}", "/files/a/b", "ANY /files/{path+}", "/files/{path+}", `{"path":"a/b"}`},
		{"/files/", "/files/a%2Fb/c", "ANY /files/{proxy+}", "/files/{proxy+}", `{"proxy":"a%2Fb/c"}`},
		{"POST /files/", "/files/", "POST /files/{proxy+}", "/files/{proxy+}", `null`},
		{"/exact", "/exact", "ANY /exact", "/exact", `null`},
		{"/", "/any/thing", "$default", "/{proxy+}", `{"proxy":"any/thing"}`},
	} {
		method := http.MethodGet
		if strings.HasPrefix(c.pattern, "POST") {
			method = http.MethodPost
		}
		mux := http.NewServeMux()
		mux.Handle(c.pattern, lambda.Handler(host, "echo"))
		v2 := decoded[events.APIGatewayV2HTTPRequest](t, do(t, listen(t, mux), method, c.path, ""))
		if v2.RouteKey != c.key || v2.RequestContext.RouteKey != c.key || c.key != "$default" && !equalJSON(v2.PathParameters, rawJSON(c.parameters)) {
			t.Errorf("%s: %q with %q", c.pattern, v2.RouteKey, v2.PathParameters)
		}
		mux = http.NewServeMux()
		mux.Handle(c.pattern, lambda.Handler(host, "echo", lambda.Format(lambda.APIGatewayV1)))
		v1 := decoded[events.APIGatewayProxyRequest](t, do(t, listen(t, mux), method, c.path, ""))
		if v1.Resource != c.resource || v1.RequestContext.ResourcePath != c.resource || !equalJSON(v1.PathParameters, rawJSON(c.parameters)) {
			t.Errorf("%s: %q with %q", c.pattern, v1.Resource, v1.PathParameters)
		}
	}
}

func TestAnotherRouterNamesItsPattern(t *testing.T) {
	t.Parallel()
	handler := lambda.Handler(start(t, handlers), "echo", lambda.Route("PUT shop.example.com/items/{sku}"))
	server := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("sku", "a-1")
		handler.ServeHTTP(w, r)
	}))
	event := decoded[events.APIGatewayV2HTTPRequest](t, do(t, server, http.MethodPut, "/items/a-1", ""))
	if event.RouteKey != "PUT /items/{sku}" || event.PathParameters["sku"] != "a-1" {
		t.Errorf("%q with %q", event.RouteKey, event.PathParameters)
	}
}

func TestAPrefixThatMiddlewareTookIsNotInThePath(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/legacy/", http.StripPrefix("/legacy", lambda.Handler(start(t, handlers), "echo")))
	event := decoded[events.APIGatewayV2HTTPRequest](t, do(t, listen(t, mux), http.MethodGet, "/legacy/a%2Fb", ""))
	if event.RawPath != "/a%2Fb" || event.PathParameters["proxy"] != "a%2Fb" {
		t.Errorf("%q with %q", event.RawPath, event.PathParameters)
	}
}

func TestAProxyIsTrustedOnlyIfToldTo(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "echo", lambda.TrustProxy())
	event := decoded[events.APIGatewayV2HTTPRequest](t, ask(t, server, "X-Forwarded-For", "10.0.0.7"))
	if event.RequestContext.HTTP.SourceIP != "10.0.0.7" || event.Headers["x-forwarded-proto"] != "https" || event.Headers["x-forwarded-for"] != "203.0.113.9,10.0.0.7" {
		t.Errorf("%q: %q", event.RequestContext.HTTP.SourceIP, event.Headers)
	}
	direct := decoded[events.APIGatewayV2HTTPRequest](t, do(t, server, http.MethodGet, "/", ""))
	if direct.RequestContext.HTTP.SourceIP != "127.0.0.1" || direct.Headers["x-forwarded-for"] != "127.0.0.1" {
		t.Errorf("without a proxy: %q", direct.Headers)
	}
}

func TestEventsCanBeEdited(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "echo", lambda.EditEvent(func(r *http.Request, event any) {
		v2, isV2 := event.(*events.APIGatewayV2HTTPRequest)
		if !isV2 {
			t.Errorf("the event is a %T", event)
			return
		}
		v2.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"user": r.Header.Get("X-User")}}
		v2.RequestContext.Authentication.ClientCert.SubjectDN = "CN=me"
	}))
	c := decoded[events.APIGatewayV2HTTPRequest](t, do(t, server, http.MethodGet, "/", "", "X-User", "ada")).RequestContext
	if c.Authorizer == nil || c.Authorizer.Lambda["user"] != "ada" || c.Authentication.ClientCert.SubjectDN != "CN=me" {
		t.Errorf("%+v", c)
	}
}

func TestAFormatThatThereIsNotPanicsAtOnce(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("it is taken")
		}
	}()
	lambda.Handler(nil, "", lambda.Format("v3"))
}
