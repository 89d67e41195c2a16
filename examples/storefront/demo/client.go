package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client is a customer of the storefront: it knows its URL and nothing else.
type client struct{ base string }

// answer is an HTTP answer. If none came, its status is 0 and its body says why.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

func (c client) get(ctx context.Context, path, traceID string) answer {
	return c.do(ctx, http.MethodGet, path, traceID, nil)
}

func (c client) post(ctx context.Context, path, traceID string, body any) answer {
	text, err := json.Marshal(body)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	return c.do(ctx, http.MethodPost, path, traceID, text)
}

func (c client) do(ctx context.Context, method, path, traceID string, body []byte) answer {
	start := time.Now()
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	request.Header.Set("X-Request-Id", traceID)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{body: []byte(err.Error())}
	}
	return answer{response.StatusCode, response.Header, content, time.Since(start)}
}

// at looks up a path of keys (string) and indexes (int) in a JSON answer; nil if it is not there.
func (a answer) at(path ...any) any {
	var value any
	if json.Unmarshal(a.body, &value) != nil {
		return nil
	}
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

func (a answer) String() string {
	return fmt.Sprintf("%d in %s", a.status, a.took.Round(100*time.Microsecond))
}
