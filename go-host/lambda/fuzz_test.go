package lambda

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// FuzzAResultIsASoundResponseOrNone writes whatever is taken for a response on the wire, and reads it back.
func FuzzAResultIsASoundResponseOrNone(f *testing.F) {
	for _, seed := range []string{
		`{"statusCode":200,"body":"YQ==","isBase64Encoded":true,"headers":{"a":"b"},"multiValueHeaders":{"A":["c",1]},"cookies":["d=e"]}`,
		`{"statusCode":"204","headers":{"Connection":"x","X":true,"content-length":"-1"}}`, `"text"`, `[]`, `null`, ` {"statusCode" : 304 } `,
		`{"statusCode":200,"headers":{"Trailer:X":"1"}}`, `{"statusCode":200,"headers":{"X":"a\r\nb"}}`, `{"statusCode":200,"headers":{"Ä":""}}`, `{`, ``, "\xff",
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, result []byte, isHead bool) {
		method := http.MethodGet
		if isHead {
			method = http.MethodHead
		}
		for _, format := range []EventFormat{APIGatewayV2, APIGatewayV1, ALB, ALBMultiValue, FunctionURL} {
			a, err := format.translation().parse(result)
			if err != nil {
				if a != nil || StatusOf(err) != http.StatusBadGateway {
					t.Errorf("%v, %v", a, err)
				}
				continue
			}
			checkOnTheWire(t, a, method)
		}
	})
}

func checkOnTheWire(t *testing.T, a *answer, method string) {
	t.Helper()
	r := httptest.NewRequest(method, "/", http.NoBody)
	recorded := httptest.NewRecorder()
	a.write(recorded, r)
	sent := recorded.Result()
	sent.Request = r
	var wire bytes.Buffer
	if err := sent.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadResponse(bufio.NewReader(&wire), r)
	if err != nil {
		t.Fatalf("%q: %v", wire.String(), err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != a.status || a.status < 200 || a.status > 599 {
		t.Errorf("%d, %v", got.StatusCode, err)
	}
	want := a.body
	if method == http.MethodHead || !hasContent(a.status) {
		want = nil
	}
	if !bytes.Equal(body, want) {
		t.Errorf("the body is %q, expected %q", body, want)
	}
	checkNames(t, a.header, got.Header)
}

// checkNames finds headers that no one has set.
func checkNames(t *testing.T, set, got http.Header) {
	t.Helper()
	for name := range got {
		if _, is := set[name]; !is && !slices.Contains([]string{"Content-Length", "Content-Type", "Connection"}, name) {
			t.Errorf("the header %q came out of nothing", name)
		}
	}
}
