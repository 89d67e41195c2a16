package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// work is one thing to be done, the same for every contender.
type work struct {
	name   string
	method string // of node/work.ts
	kind   kind
	in     any        // each call's argument
	out    func() any // returns a pointer to room for a result
	want   any        // what out has afterwards
}

type kind int

const (
	typedWork  kind = iota // values of Go types on both sides
	bytesWork              // []byte
	passedWork             // JSON that is encoded already, and stays so
)

var works = []*work{
	typed("echo-100B", "echo", newSmall(), nil),
	typed("echo-2KB", "echo", newEvent(), nil),
	typed("echo-1MiB", "echo", newRows(), nil),
	typed("blob-64KiB", "echo", newBlob(), nil),
	bytesOf("bytes-100B", 100),
	bytesOf("bytes-2KB", 2_000),
	bytesOf("bytes-1MiB", 1<<20),
	passed("passed-2KB", newEvent()),
	typed("check", "check", &customer{"Ada", "ada@example.com", 36}, &verdict{Valid: true, Problems: []string{}}),
	typed("validate", "validate", newOrder(), &verdict{Valid: true, Problems: []string{}}),
	typed("render", "render", newOrder(), text(page)),
	typed("heavy", "heavy", number(500), number(303)),
}

func workOf(name string) (*work, error) {
	for _, w := range works {
		if w.name == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("no work %q", name)
}

// typed has values of Go types. want is a pointer; nil means the argument itself.
func typed(name, method string, in, want any) *work {
	if want == nil {
		want = in
	}
	t := reflect.TypeOf(want).Elem()
	return &work{name, method, typedWork, in, func() any { return reflect.New(t).Interface() }, want}
}

func bytesOf(name string, size int) *work {
	data := make([]byte, 0, size+3)
	for i := 0; len(data) < size; i += 4 { // no part is like another
		data = binary.LittleEndian.AppendUint32(data, uint32(i)*0x01000193)
	}
	data = data[:size]
	return &work{name, "echo", bytesWork, data, func() any { return new([]byte) }, &data}
}

func passed(name string, value any) *work {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as JSON.stringify writes it
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	raw := json.RawMessage(bytes.TrimSpace(text.Bytes()))
	return &work{name, "echo", passedWork, raw, func() any { return new(json.RawMessage) }, &raw}
}

// check tells whether a result is right.
func (w *work) check(out any) error {
	if !reflect.DeepEqual(out, w.want) {
		return fmt.Errorf("%s: expected %s, got %s", w.name, short(w.want), short(out))
	}
	return nil
}

func short(pointer any) string {
	text := fmt.Sprintf("%v", reflect.ValueOf(pointer).Elem())
	return text[:min(len(text), 200)]
}

type small struct {
	A string `json:"a"`
	B string `json:"b"`
}

// newSmall has 100 bytes as JSON.
func newSmall() *small { return &small{strings.Repeat("x", 40), strings.Repeat("y", 45)} }

type row struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
	Stock bool     `json:"stock"`
}

// newRows has 1 MiB as JSON.
func newRows() *[]row {
	rows := make([]row, 8_670)
	for i := range rows {
		rows[i] = row{i, fmt.Sprintf("article number %d of the catalogue", i), float64(i) + 0.25, []string{"new", "reduced", "garden"}, i%2 == 0}
	}
	return &rows
}

type blob struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

func newBlob() *blob { return &blob{"logo.png", []byte(strings.Repeat("\x00\x01\xfe\xff", 16<<10))} }

type customer struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Age   int    `json:"age"`
}

type verdict struct {
	Valid    bool     `json:"valid"`
	Problems []string `json:"problems"`
}

type order struct {
	ID       int     `json:"id"`
	Customer contact `json:"customer"`
	Lines    []line  `json:"lines"`
}

type contact struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type line struct {
	SKU      string  `json:"sku"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

func newOrder() *order {
	return &order{1001, contact{"Ada & Co", "ada@example.com"}, []line{{"A-1", 2, 19.9}, {"B-7", 1, 4.5}, {"C-12", 12, 0.25}}}
}

// page is what the template makes of the order.
const page = `<h1>Order 1001</h1>
<p>Ada &amp; Co &lt;ada@example.com&gt;</p>
<table>
<tr><td>A-1</td><td>2</td><td>19.9</td></tr>
<tr><td>B-7</td><td>1</td><td>4.5</td></tr>
<tr><td>C-12</td><td>12</td><td>0.25</td></tr>
</table>`

func text(s string) *string { return &s }

func number(n int) *int { return &n }

// newEvent is a request as API Gateway sends it, 2 KB as JSON.
func newEvent() *events.APIGatewayV2HTTPRequest {
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(eventText), &event); err != nil {
		panic(err)
	}
	return &event
}

const eventText = `{
  "version": "2.0", "routeKey": "POST /orders/{id}", "rawPath": "/orders/1001",
  "rawQueryString": "expand=lines&expand=customer&currency=EUR",
  "cookies": ["session=8c1f6f7a2f0e4f0a9d4b", "theme=dark"],
  "headers": {
    "accept": "application/json, text/plain;q=0.9, */*;q=0.8", "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-GB,en;q=0.7,de;q=0.3", "cache-control": "no-cache", "content-length": "228",
    "content-type": "application/json", "host": "shop.example.com", "origin": "https://shop.example.com", "priority": "u=1",
    "referer": "https://shop.example.com/checkout", "sec-fetch-dest": "empty", "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin",
    "x-request-id": "7f3c2a510d9e4b8f9c662e1", "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "x-amzn-trace-id": "Root=1-674a5f7e-2b1d5c8e0f3a4b6c7d8e9f01", "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443",
    "x-forwarded-proto": "https"
  },
  "queryStringParameters": {"expand": "lines,customer", "currency": "EUR"},
  "pathParameters": {"id": "1001"}, "stageVariables": {"backend": "orders-blue"},
  "requestContext": {
    "accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "shop.example.com", "domainPrefix": "shop",
    "authorizer": {"jwt": {"claims": {"sub": "0f8fad5b-d9cb-469f-a165-70867728950e", "scope": "orders:write orders:read"}, "scopes": ["orders:write"]}},
    "http": {"method": "POST", "path": "/orders/1001", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "Mozilla/5.0"},
    "requestId": "dKtXGh3PoAMEVbA=", "routeKey": "POST /orders/{id}", "stage": "$default", "time": "26/Nov/2026:10:15:42 +0000",
    "timeEpoch": 1795688142000
  },
  "body": "{\"lines\":[{\"sku\":\"A-1\",\"quantity\":2,\"price\":19.9},{\"sku\":\"B-7\",\"quantity\":1,\"price\":4.5},{\"sku\":\"C-12\",\"quantity\":12,\"price\":0.25}],\"customer\":{\"name\":\"Ada & Co\",\"email\":\"ada@example.com\"},\"note\":\"Please ring twice\"}",
  "isBase64Encoded": false
}`
