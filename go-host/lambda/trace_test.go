package lambda_test

import (
	"net/http"
	"regexp"
	"testing"

	"rootbridge"
	"rootbridge/lambda"
)

type traced struct{ ID, XRay, Trace, Traceparent string }

const (
	parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	root   = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
)

func TestTracesArePassedOn(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, handlers), "context")
	for _, c := range []struct {
		header           []string
		xray, trace, w3c string // patterns; "id" is the request id
	}{
		{nil, `^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`, "id", ""},
		{[]string{"X-Amzn-Trace-Id", root}, `^` + root + `$`, "id", ""},
		{[]string{"X-Amzn-Trace-Id", "Self=1-2;" + root}, `^Self=1-2;` + root + `$`, "id", ""},
		{[]string{"Traceparent", parent}, `^Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1$`, "0af7651916cd43dd8448eb211c80319c", parent},
		{[]string{"Traceparent", parent, "X-Amzn-Trace-Id", root}, `^` + root + `$`, "0af7651916cd43dd8448eb211c80319c", parent},
		{[]string{"Traceparent", "nonsense", "X-Amzn-Trace-Id", "nonsense of $(someone)"}, `^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`, "id", ""},
	} {
		got := do(t, server, http.MethodGet, "/", "", c.header...)
		seen := decoded[traced](t, got)
		if c.trace == "id" {
			c.trace = seen.ID
		}
		if !regexp.MustCompile(c.xray).MatchString(seen.XRay) || seen.Trace != c.trace || seen.Traceparent != c.w3c || seen.ID != got.Header.Get("Apigw-Requestid") || !uuid.MatchString(seen.ID) {
			t.Errorf("%q: %+v", c.header, seen)
		}
	}
}

func TestATraceThatMiddlewareSetStays(t *testing.T) {
	t.Parallel()
	handler := lambda.Handler(start(t, handlers), "context")
	const own = "00-11111111111111111111111111111111-2222222222222222-00"
	server := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := rootbridge.ContextWithTraceparent(rootbridge.ContextWithTraceID(r.Context(), "mine"), own)
		handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	if got := decoded[traced](t, do(t, server, http.MethodGet, "/", "", "Traceparent", parent)); got.Trace != "mine" || got.Traceparent != own {
		t.Errorf("%+v", got)
	}
}

func TestTheEventHasTheTraceHeaderThatTheEnvironmentHas(t *testing.T) {
	t.Parallel()
	server := serve(t, start(t, `export const both = async (event) => [event.headers['x-amzn-trace-id'], process.env._X_AMZN_TRACE_ID]`), "both")
	if got := decoded[[2]string](t, do(t, server, http.MethodGet, "/", "")); got[0] == "" || got[0] != got[1] {
		t.Errorf("%q", got)
	}
}
