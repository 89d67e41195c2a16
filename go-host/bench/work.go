package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/events"
)

// work is one thing to be done, the same for every contender.
type work struct {
	name   string
	method string // of node/work.ts
	kind   kind
	values func() []value // made once, when they are asked for: they are in the memory that is measured
	out    func() any     // returns a pointer to room for a result
}

// value is what a call takes and what it results in.
type value struct {
	in   any
	want any // what out has afterwards
}

const (
	// variants is how many values a work has, and smallVariants how many that of 100 B, whose values have two texts each:
	// go-json-experiment remembers 256 texts that come again, and an answer that came to another caller would look right.
	variants      = 256
	smallVariants = 16_384
	// stride is how far callers are apart in them: odd, so that no two begin with the same.
	stride = 97
)

type kind int

const (
	typedWork  kind = iota // values of Go types on both sides
	bytesWork              // []byte
	passedWork             // JSON that is encoded already, and stays so
)

var works = []*work{
	typed("echo-100B", "echo", smallVariants, newSmall, newSmall),
	typed("echo-2KB", "echo", variants, newEvent, newEvent),
	typed("echo-1MiB", "echo", 1, newRows, newRows),
	typed("blob-64KiB", "echo", 1, newBlob, newBlob),
	bytesOf("bytes-100B", variants, 100),
	bytesOf("bytes-2KB", variants, 2_000),
	bytesOf("bytes-1MiB", 1, 1<<20),
	passed("passed-2KB", variants, newEvent),
	typed("check", "check", variants, newCustomer, always(&verdict{Valid: true, Problems: []string{}})),
	typed("validate", "validate", variants, newOrder, always(&verdict{Valid: true, Problems: []string{}})),
	typed("render", "render", variants, newOrder, pageOf),
	typed("heavy", "heavy", 1, always(number(500)), always(number(303))),
}

func workOf(name string) (*work, error) {
	for _, w := range works {
		if w.name == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("no work %q", name)
}

// typed has n values of Go types. An echo wants what it takes.
func typed[In, Out any](name, method string, n int, in func(i int) *In, want func(i int) *Out) *work {
	values := valuesOf(n, func(i int) value { return value{in(i), want(i)} })
	return &work{name, method, typedWork, values, func() any { return new(Out) }}
}

func valuesOf(n int, valueOf func(i int) value) func() []value {
	return sync.OnceValue(func() []value {
		values := make([]value, n)
		for i := range values {
			values[i] = valueOf(i)
		}
		return values
	})
}

func bytesOf(name string, n, size int) *work {
	values := valuesOf(n, func(i int) value {
		data := newBytes(uint32(i*size), size)
		return value{data, &data}
	})
	return &work{name, "echo", bytesWork, values, func() any { return new([]byte) }}
}

// newBytes has no part that is like another, nor do those from another number on.
func newBytes(from uint32, size int) []byte {
	data := make([]byte, 0, size+3)
	for ; len(data) < size; from += 4 {
		data = binary.LittleEndian.AppendUint32(data, from*0x01000193)
	}
	return data[:size]
}

func passed[In any](name string, n int, in func(i int) *In) *work {
	values := valuesOf(n, func(i int) value {
		raw := rawOf(in(i))
		return value{raw, &raw}
	})
	return &work{name, "echo", passedWork, values, func() any { return new(json.RawMessage) }}
}

func rawOf(value any) json.RawMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // as JSON.stringify writes it
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(text.Bytes())
}

// value is the one for a caller's nth call.
func (w *work) value(caller, n int) value {
	values := w.values()
	return values[(caller*stride+n)%len(values)]
}

// check tells whether a result is right.
func (w *work) check(out, want any) error {
	if !reflect.DeepEqual(out, want) {
		return fmt.Errorf("%s: expected %s, got %s", w.name, short(want), short(out))
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
func newSmall(i int) *small {
	r := newRandom(i)
	return &small{hexText(r, 40), hexText(r, 45)}
}

// newRandom gives the same for the same variant.
func newRandom(i int) *rand.Rand { return rand.New(rand.NewPCG(uint64(i), 0)) }

func hexText(r *rand.Rand, length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(text)
}

type row struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
	Stock bool     `json:"stock"`
}

// newRows has 1 MiB as JSON.
func newRows(int) *[]row {
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

func newBlob(int) *blob { return &blob{"logo.png", []byte(strings.Repeat("\x00\x01\xfe\xff", 16<<10))} }

type customer struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Age   int    `json:"age"`
}

func newCustomer(i int) *customer {
	name := hexText(newRandom(i), 8)
	return &customer{name, name + "@example.com", 20 + i%60}
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

func newOrder(i int) *order {
	name := hexText(newRandom(i), 8)
	return &order{1001 + i, contact{name + " & Co", name + "@example.com"}, []line{{"A-1", 2 + i%7, 19.9}, {"B-7", 1, 4.5}, {"C-12", 12, 0.25}}}
}

// pageOf is what the template makes of the order.
func pageOf(i int) *string {
	o := newOrder(i)
	page := fmt.Sprintf(`<h1>Order %d</h1>
<p>%s &lt;%s&gt;</p>
<table>
<tr><td>A-1</td><td>%d</td><td>19.9</td></tr>
<tr><td>B-7</td><td>1</td><td>4.5</td></tr>
<tr><td>C-12</td><td>12</td><td>0.25</td></tr>
</table>`, o.ID, html.EscapeString(o.Customer.Name), o.Customer.Email, o.Lines[0].Quantity)
	return &page
}

func number(n int) *int { return &n }

// always is for a work whose calls all take, or result in, the same.
func always[T any](value *T) func(int) *T { return func(int) *T { return value } }

// newEvent is a request as API Gateway sends it, 2 KB as JSON. What differs from one request to the next does so here: the
// path, the time, the client's address, its session and claims, ids and the body's note.
func newEvent(i int) *events.APIGatewayV2HTTPRequest {
	r := newRandom(i)
	other := func(text string) string { return hexText(r, len(text)) }
	text := strings.NewReplacer(
		"1001", strconv.Itoa(1001+i),
		"8c1f6f7a2f0e4f0a9d4b", other("8c1f6f7a2f0e4f0a9d4b"),
		"7f3c2a510d9e4b8f9c662e1", other("7f3c2a510d9e4b8f9c662e1"),
		"2b1d5c8e0f3a4b6c7d8e9f01", other("2b1d5c8e0f3a4b6c7d8e9f01"),
		"0f8fad5b", other("0f8fad5b"),
		"dKtXGh3PoAMEVbA", other("dKtXGh3PoAMEVbA"),
		"203.0.113.7", fmt.Sprintf("203.0.113.%d", i%10),
		"10:15:42", fmt.Sprintf("10:%02d:%02d", i/60%60, i%60),
		"1795688142000", strconv.Itoa(1795688142000+i),
		"Please ring twice", "Please ring "+other("twice"),
	).Replace(eventText)
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(text), &event); err != nil {
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
