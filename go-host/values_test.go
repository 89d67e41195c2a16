package rootbridge_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/internal/vector"
)

// valueCase is a case of protocol/vectors/values.json: a JavaScript value on its way to Go, or the other way round.
type valueCase struct {
	ID      string    `json:"id"`
	Comment string    `json:"comment"`
	Group   string    `json:"group"`
	JS      string    `json:"js"`
	Into    string    `json:"into"`
	Go      string    `json:"go"`
	Text    string    `json:"text"`
	Hex     string    `json:"hex"`
	JSON    *valueEnd `json:"json"`
	MsgPack *valueEnd `json:"msgpack"`
}

// valueEnd is what becomes of a value: one of these.
type valueEnd struct {
	Value json.RawMessage `json:"value"`
	Bytes *string         `json:"bytes"`
	None  bool            `json:"none"`
	Depth int             `json:"depth"`
	Keys  int             `json:"keys"`
	Error []string        `json:"error"`
}

func (c valueCase) end(codec rootbridge.Codec) *valueEnd {
	if codec == rootbridge.MsgPack {
		return c.MsgPack
	}
	return c.JSON
}

const valuesFixture = "../test/fixtures/values/values.js"

func TestValuesBecomeWhatTheTableSays(t *testing.T) {
	t.Parallel()
	cases, err := vector.Read[valueCase]("values.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		t.Run(string(codec), func(t *testing.T) {
			t.Parallel()
			host := start(t, valuesFixture, with(func(o *rootbridge.Options) { o.Codec = codec }))
			for _, c := range cases {
				if end := c.end(codec); end != nil {
					t.Run(c.ID, func(t *testing.T) { checkValue(t, host, c, *end) })
				}
			}
		})
	}
}

func checkValue(t *testing.T, host *rootbridge.Host, c valueCase, end valueEnd) {
	t.Helper()
	switch {
	case c.Go != "":
		checkGoValue(t, host, c, end)
	case c.Into != "":
		checkTyped(t, host, c, end)
	case c.JS != "":
		checkResult(t, host, c, end)
	}
}

// checkResult takes a result as any, and looks at the payload to tell null from no value.
func checkResult(t *testing.T, host *rootbridge.Host, c valueCase, end valueEnd) {
	t.Helper()
	var got any
	err := host.Call(t.Context(), "result", c.JS, &got)
	if end.Error != nil {
		expectCode(t, err, rootbridge.CodeUnencodableResult, end.Error...)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var payload []byte
	if err := host.Call(t.Context(), "result", c.JS, &payload); err != nil {
		t.Fatal(err)
	}
	content, isBytes := got.([]byte)
	switch {
	case end.Bytes != nil:
		if !isBytes || hex.EncodeToString(content) != *end.Bytes {
			t.Errorf("got %v, expected the bytes %s", got, *end.Bytes)
		}
	case end.None:
		if got != nil || len(payload) > 0 {
			t.Errorf("got %v, expected no value", got)
		}
	case len(payload) == 0 || isBytes:
		t.Errorf("got %v and the payload %q, expected a value", got, payload)
	default:
		checkDecoded(t, got, end)
	}
}

func checkDecoded(t *testing.T, got any, end valueEnd) {
	t.Helper()
	if end.Depth > 0 || end.Keys > 0 {
		object, _ := got.(map[string]any)
		if end.Depth > 0 && depthOf(got) != end.Depth || end.Keys > 0 && len(object) != end.Keys {
			t.Errorf("got the depth %d and %d keys, expected %d and %d", depthOf(got), len(object), end.Depth, end.Keys)
		}
		return
	}
	var want any
	if err := json.Unmarshal(end.Value, &want); err != nil {
		t.Fatal(err)
	}
	if told := describe(got); !reflect.DeepEqual(told, want) {
		t.Errorf("got\n%v, expected\n%v", told, want)
	}
}

func depthOf(value any) int {
	depth := 0
	for {
		switch inside := value.(type) {
		case []any:
			value = first(inside)
		case map[string]any:
			value = inside["a"]
		default:
			return depth
		}
		depth++
	}
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// describe writes a value as values.json does: what JSON can't say is an object with one key that starts with $.
func describe(value any) any {
	switch value := value.(type) {
	case nil, bool, string:
		return value
	case []byte:
		return map[string]any{"$bytes": hex.EncodeToString(value)}
	case time.Time:
		text := value.UTC().Format("2006-01-02T15:04:05.000Z")
		if value.Year() > 9999 {
			text = "+" + text
		}
		return map[string]any{"$time": text}
	}
	switch v := reflect.ValueOf(value); {
	case v.Kind() == reflect.Pointer:
		return describe(v.Elem().Interface())
	case v.CanFloat():
		return describeFloat(v.Float())
	case v.CanInt():
		return describeInteger(strconv.FormatInt(v.Int(), 10), float64(v.Int()))
	case v.CanUint():
		return describeInteger(strconv.FormatUint(v.Uint(), 10), float64(v.Uint()))
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = describe(v.Index(i).Interface())
		}
		return list
	case v.Kind() == reflect.Map:
		object := map[string]any{}
		for key, item := range v.Seq2() {
			object[fmt.Sprint(key)] = describe(item.Interface())
		}
		return object
	}
	return fmt.Sprintf("a value of type %T", value)
}

func describeFloat(f float64) any {
	switch {
	case math.IsNaN(f):
		return map[string]any{"$float": "NaN"}
	case math.IsInf(f, 1):
		return map[string]any{"$float": "Infinity"}
	case math.IsInf(f, -1):
		return map[string]any{"$float": "-Infinity"}
	case f == 0 && math.Signbit(f):
		return map[string]any{"$float": "-0"}
	}
	return f
}

func describeInteger(text string, f float64) any {
	if math.Abs(f) < 1<<53 {
		return f
	}
	return map[string]any{"$int": text}
}

// goTypes are the types that cases decode into.
var goTypes = map[string]reflect.Type{
	"int":                     reflect.TypeFor[int](),
	"int8":                    reflect.TypeFor[int8](),
	"int64":                   reflect.TypeFor[int64](),
	"uint":                    reflect.TypeFor[uint](),
	"uint64":                  reflect.TypeFor[uint64](),
	"float32":                 reflect.TypeFor[float32](),
	"float64":                 reflect.TypeFor[float64](),
	"string":                  reflect.TypeFor[string](),
	"bool":                    reflect.TypeFor[bool](),
	"[]byte":                  reflect.TypeFor[[]byte](),
	"[]int8":                  reflect.TypeFor[[]int8](),
	"map[string][]byte":       reflect.TypeFor[map[string][]byte](),
	"map[int]string":          reflect.TypeFor[map[int]string](),
	"map[int8]string":         reflect.TypeFor[map[int8]string](),
	"time.Time":               reflect.TypeFor[time.Time](),
	"json.RawMessage":         reflect.TypeFor[json.RawMessage](),
	"json.Number":             reflect.TypeFor[json.Number](),
	"cents":                   reflect.TypeFor[cents](),
	"any":                     reflect.TypeFor[any](),
	"[2]int":                  reflect.TypeFor[[2]int](),
	"uintptr":                 reflect.TypeFor[uintptr](),
	"error":                   reflect.TypeFor[error](),
	"[]error":                 reflect.TypeFor[[]error](),
	"map[string]fmt.Stringer": reflect.TypeFor[map[string]fmt.Stringer](),
	"map[any]any":             reflect.TypeFor[map[any]any](),
	"map[string]int":          reflect.TypeFor[map[string]int](),
	"map[string]string":       reflect.TypeFor[map[string]string](),
	"big.Int":                 reflect.TypeFor[big.Int](),
	"map[netip.Addr]int":      reflect.TypeFor[map[netip.Addr]int](),
	"struct{ *point }":        reflect.TypeFor[struct{ *point }](),
	"struct{ Name string }":   reflect.TypeFor[struct{ Name string }](),
	"struct{ N int8 `json:\"n\"` }": reflect.TypeFor[struct {
		N int8 `json:"n"`
	}](),
	"struct{ N *int8 `json:\"n\"` }": reflect.TypeFor[struct {
		N *int8 `json:"n"`
	}](),
}

// goTargets are variables that hold something already.
var goTargets = map[string]func() any{
	"struct{ A, B int }{B: 7}":  func() any { return &struct{ A, B int }{B: 7} },
	`map[string]int{"z": 9}`:    func() any { return &map[string]int{"z": 9} },
	"any(&map[string]string{})": func() any { return pointer(any(&map[string]string{})) },
	"[]int{7, 8}":               func() any { return &[]int{7, 8} },
}

func newTarget(t *testing.T, name string) any {
	t.Helper()
	if target, ok := goTargets[name]; ok {
		return target()
	}
	typ, ok := goTypes[name]
	if !ok {
		t.Fatalf("no type %q", name)
	}
	return reflect.New(typ).Interface()
}

func checkTyped(t *testing.T, host *rootbridge.Host, c valueCase, end valueEnd) {
	t.Helper()
	out := newTarget(t, c.Into)
	err := host.Call(t.Context(), "result", c.JS, out)
	if end.Error != nil {
		expectCode(t, err, rootbridge.CodeUnencodableResult, end.Error...)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got := reflect.ValueOf(out).Elem().Interface()
	if raw, ok := got.(json.RawMessage); ok {
		got = string(raw)
	}
	switch value := got.(type) {
	case json.Number:
		got = value.String()
	case big.Int:
		got = value.Int64()
	case time.Time:
	default:
		if reflect.TypeOf(got) != nil && reflect.TypeOf(got).Kind() == reflect.Struct {
			got = fmt.Sprintf("%+v", got)
		}
	}
	checkDecoded(t, got, end)
}

type (
	node    struct{ Next *node }
	point   struct{ X, Y int }
	base    struct{ ID int }
	invoice struct {
		base
		Name   string
		Secret string `json:"-"`
		total  int
	}
	cents    int
	version  struct{ Major int }
	careless struct{}
	person   struct {
		Name   string
		Parent *person `json:"-"`
		Kids   []*person
	}
)

func (c cents) MarshalJSON() ([]byte, error) {
	return json.Marshal(fmt.Sprintf("%d.%02d", c/100, c%100))
}

func (v version) MarshalBinary() ([]byte, error) { return fmt.Appendf(nil, "v%d", v.Major), nil }

func (careless) MarshalText() ([]byte, error) { panic("careless") }

func pointer[T any](value T) *T { return &value }

func cycle() *node {
	n := new(node)
	n.Next = n
	return n
}

func cyclicMap() map[string]any {
	m := map[string]any{}
	m["self"] = m
	return m
}

func pointerCycle() any {
	var x any
	x = &x
	return x
}

func family() *person {
	parent := &person{Name: "a"}
	parent.Kids = []*person{{Name: "b", Parent: parent}}
	return parent
}

func nested(depth int) any {
	value := any(nil)
	for range depth {
		value = []any{value}
	}
	return value
}

// goValues are the values of the cases that go from Go to JavaScript; the cases have their text.
var goValues = map[string]any{
	"go-nil":                nil,
	"go-nil-pointer":        (*int)(nil),
	"go-pointer":            pointer(5),
	"go-bool":               true,
	"go-args":               rootbridge.Args{1, nil, "a"},
	"go-args-nil":           rootbridge.Args(nil),
	"go-int":                -5,
	"go-safe-integer":       int64(1<<53 - 1),
	"go-int64-of-54-bits":   int64(1 << 53),
	"go-int64-over-53-bits": int64(1<<53 + 1),
	"go-int64-min":          int64(math.MinInt64),
	"go-uint64-max":         uint64(math.MaxUint64),
	"go-float":              1.5,
	"go-whole-float":        2.0,
	"go-huge-float":         1e21,
	"go-float32":            float32(0.1),
	"go-negative-zero":      math.Copysign(0, -1),
	"go-nan":                math.NaN(),
	"go-infinity":           []float64{math.Inf(1), math.Inf(-1)},
	"go-json-number":        json.Number("12.50"),
	"go-big-int":            big.NewInt(12),
	"go-complex":            complex(1, 2),
	"go-duration":           1500 * time.Millisecond,
	"go-text":               "a\x00\u2028<&>\U0001f600",
	"go-empty-text":         "",
	"go-invalid-utf8":       "a\xffb",
	"go-text-marshaler":     netip.MustParseAddr("10.0.0.1"),
	"go-binary-marshaler":   version{7},
	"go-bytes":              []byte("abc"),
	"go-bytes-nil":          []byte(nil),
	"go-bytes-inside":       map[string]any{"logo": []byte("abc")},
	"go-byte-array":         [3]byte{1, 2, 3},
	"go-time":               time.Date(2020, 2, 29, 12, 30, 15, 123456789, time.UTC),
	"go-time-zone":          time.Date(2020, 2, 29, 12, 0, 0, 0, time.FixedZone("", 3600)),
	"go-time-zero":          time.Time{},
	"go-struct":             invoice{base: base{ID: 7}, Name: "a", Secret: "b", total: 1},
	"go-struct-hidden": struct {
		point
		X string
	}{point{1, 2}, "a"},
	"go-struct-embedded-nil": struct {
		*point
		Z int
	}{Z: 3},
	"go-struct-embedded-tag": struct {
		point `json:"at"`
	}{point{1, 2}},
	"go-struct-dash": struct {
		A int `json:"-,"` //nolint:staticcheck // encoding/json takes it
	}{1},
	"go-struct-msgpack-tag": struct {
		A int `json:"a" msgpack:"b,omitempty"`
	}{1},
	"go-struct-omitempty-time": struct {
		At time.Time `json:"at,omitempty"`
	}{},
	"go-struct-tags": struct {
		A int    `json:"a,omitempty"`
		B *int   `json:"b"`
		C string `json:",omitempty"`
	}{},
	"go-struct-omitzero": struct {
		A int `json:"a,omitzero"`
	}{},
	"go-struct-string": struct {
		A int `json:"a,string"`
	}{1},
	"go-json-marshaler":      cents(1250),
	"go-raw-message":         json.RawMessage(`{"a": 1}`),
	"go-raw-message-invalid": json.RawMessage(`{"a": `),
	"go-raw-message-inside":  map[string]any{"a": json.RawMessage(`{"b":1}`)},
	"go-map":                 map[string]any{"a": 1, "b": []any{nil, true, "x"}},
	"go-map-int-keys":        map[int]string{1: "a"},
	"go-map-bool-keys":       map[bool]int{true: 1},
	"go-map-struct-keys":     map[point]int{{1, 2}: 1},
	"go-map-marshaler-keys":  map[netip.Addr]int{netip.MustParseAddr("10.0.0.1"): 1},
	"go-proto-key":           map[string]any{"__proto__": map[string]any{"admin": true}, "a": []any{1}},
	"go-map-nil":             map[string]int(nil),
	"go-list-nil":            []string(nil),
	"go-list-empty":          []string{},
	"go-channel":             make(chan int),
	"go-function":            func() {},
	"go-channel-inside":      map[string][]chan int{"a": {nil}},
	"go-panic":               careless{},
	"go-error":               []error{errors.New("no")},
	"go-cycle":               cycle(),
	"go-cycle-through-map":   cyclicMap(),
	"go-cycle-of-pointers":   pointerCycle(),
	"go-back-pointer":        family(),
	"go-deep-10000":          nested(10_000),
}

func checkGoValue(t *testing.T, host *rootbridge.Host, c valueCase, end valueEnd) {
	t.Helper()
	in, ok := goValues[c.ID]
	if !ok {
		t.Fatalf("goValues has no %s", c.ID)
	}
	var got any
	err := host.Call(t.Context(), "sees", in, &got)
	if end.Error != nil {
		expectCode(t, err, rootbridge.CodeInvalidArgument, end.Error...)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(end.Value, &want); err != nil {
		t.Fatal(err)
	}
	if told := plain(got); !reflect.DeepEqual(told, want) {
		t.Errorf("JavaScript saw\n%v, expected\n%v", told, want)
	}
}

// plain turns the numbers of a decoded value into those that encoding/json makes.
func plain(value any) any {
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = plain(item)
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for key, item := range value {
			object[key] = plain(item)
		}
		return object
	}
	return describe(value)
}

func TestTheTableShowsTheGoValuesThatAreTested(t *testing.T) {
	t.Parallel()
	cases, err := vector.Read[valueCase]("values.json")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, c := range cases {
		if c.Go != "" {
			shown[c.ID] = c.Go
		}
	}
	if tested := goValueTexts(t); !reflect.DeepEqual(shown, tested) {
		t.Errorf("values.json shows\n%v\nthe values here are\n%v", shown, tested)
	}
}

// goValueTexts reads goValues from this file.
func goValueTexts(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "values_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, element := range file.Scope.Lookup("goValues").Decl.(*ast.ValueSpec).Values[0].(*ast.CompositeLit).Elts { //nolint:errcheck,forcetypeassert // it is written so
		pair := element.(*ast.KeyValueExpr) //nolint:errcheck,forcetypeassert // likewise
		var text bytes.Buffer
		if err := printer.Fprint(&text, files, pair.Value); err != nil {
			t.Fatal(err)
		}
		key, err := strconv.Unquote(pair.Key.(*ast.BasicLit).Value) //nolint:errcheck,forcetypeassert // likewise
		if err != nil {
			t.Fatal(err)
		}
		texts[key] = strings.Join(strings.Fields(text.String()), " ")
	}
	return texts
}
