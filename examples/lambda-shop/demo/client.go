package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// client is a customer of the server: it knows its URL and nothing else.
type client struct{ base string }

// answer is an HTTP answer. If none came, its status is 0 and its body says why.
type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    []byte
	took    time.Duration
}

// ask sends a request such as "GET /products", with a body and headers, a name and a value at a time.
func (c client) ask(ctx context.Context, request, body string, headers ...string) answer {
	start := time.Now()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	return answer{response.StatusCode, response.Header, response.Cookies(), content, time.Since(start)}
}

// into decodes a JSON answer; what is no JSON leaves value as it is.
func (a answer) into(value any) { _ = json.Unmarshal(a.body, value) }

func (a answer) String() string {
	return fmt.Sprintf("%d in %s", a.status, a.took.Round(100*time.Microsecond))
}
