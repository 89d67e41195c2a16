package rootbridge

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

type (
	jsonScalars struct {
		Bool     bool     `json:"bool"`
		Int      int      `json:"int"`
		Small    int8     `json:"small"`
		Uint     uint64   `json:"uint,omitempty"`
		Float    float64  `json:"float,omitzero"`
		Single   float32  `json:"single"`
		Text     string   `json:"text"`
		Pointer  *string  `json:"pointer"`
		Bytes    []byte   `json:"bytes"`
		Array    [2]int   `json:"array"`
		Octets   [3]byte  `json:"octets"`
		List     []string `json:"list"`
		Hidden   string   `json:"-"`
		Untagged string
	}
	jsonNested struct {
		Next  *jsonNested            `json:"next"`
		Maps  map[string]jsonScalars `json:"maps"`
		ByInt map[int]string         `json:"by_int"`
		Any   any                    `json:"any"`
		List  []jsonScalars          `json:"list"`
		Raw   json.RawMessage        `json:"raw"`
	}
	jsonOwn struct {
		Time   time.Time     `json:"time"`
		Took   time.Duration `json:"took"`
		Big    *big.Int      `json:"big"`
		Addr   netip.Addr    `json:"addr"`
		Number json.Number   `json:"number"`
		Quoted int           `json:"quoted,string"`
		Inline jsonInner     `json:",inline"`
		Odd    string        `json:"a b"`
		URL    *url.URL      `json:"url"`
	}
	jsonInner    struct{ X, Y int }
	jsonEmbedded struct {
		jsonInner
		*jsonScalars

		Z int
	}
	jsonTimes struct {
		Time time.Time            `json:"time"`
		By   map[netip.Addr]int   `json:"by"`
		Took time.Duration        `json:"took"`
		Many map[string]time.Time `json:"many"`
	}
	jsonHeld struct {
		jsonHolder

		Any    any                    `json:"any"`
		List   []any                  `json:"list"`
		Array  [1]any                 `json:"array"`
		Map    map[string]any         `json:"map"`
		Ptr    **any                  `json:"ptr"`
		Deep   []*jsonHeld            `json:"deep"`
		Text   fmt.Stringer           `json:"text"`
		Own    json.Unmarshaler       `json:"own"`
		Hidden encoding.TextMarshaler `json:"-"`
		Number json.Number            `json:"-"`
	}
	jsonHolder struct{ Held any }
	jsonTwins  struct {
		First int `json:"Twin"`
		Twin  int
	}
	jsonRivals struct {
		jsonNever
		jsonNeverEither
	}
	jsonNever          struct{ X int }
	jsonNeverEither    struct{ Y int }
	jsonCounted[T any] struct {
		Calls jsonCalls `json:"calls"`
		Rest  T         `json:"rest"`
	}
	jsonCalls int
	jsonKeys  struct {
		ID      int `json:"id"`
		Id      int //nolint:revive // the same but for its case
		UserID  int
		User_ID int `json:"user_id"` //nolint:revive // as legacy code has it
		Straße  int
	}
)

// jsonHeldVariables are variables with interfaces that hold what the two decoders take otherwise, in all places, and what they
// decode anew.
func jsonHeldVariables() []func() any {
	number := func() *json.Number { n := json.Number("5"); return &n }
	anything := func(v any) *any { return &v }
	pointer := func(v any) **any { p := anything(v); return &p }
	return []func() any{
		func() any { return anything(&struct{ N json.Number }{}) }, func() any { return anything(number()) },
		func() any { return anything(anything(number())) }, func() any { n := number(); return anything(&n) },
		func() any { return anything((*json.Number)(nil)) }, func() any { return anything(struct{ N *json.Number }{number()}) },
		func() any { return &[]any{number()} }, func() any { list := []any{number(), number()}[:0]; return &list },
		func() any { return &map[string]any{"N": number()} }, func() any { return pointer(number()) },
		func() any { return &[]*[1]any{{number()}} },
		func() any { return &jsonHeld{Any: number()} }, func() any { return &jsonHeld{jsonHolder: jsonHolder{number()}} },
		func() any { return &jsonHeld{List: []any{nil, number()}[:1]} }, func() any { return &jsonHeld{Array: [1]any{number()}} },
		func() any { return &jsonHeld{Map: map[string]any{"N": number()}} }, func() any { return &jsonHeld{Ptr: pointer(number())} },
		func() any { return &jsonHeld{Deep: []*jsonHeld{nil, {Deep: []*jsonHeld{{Any: number()}}}}} },
		func() any { return &jsonHeld{Text: number()} }, func() any { return &jsonHeld{Text: json.Number("5")} },
		func() any { return &jsonHeld{Own: new(json.RawMessage)} }, func() any { return &jsonHeld{Own: valueOwn{}} },
		func() any { return &jsonHeld{Hidden: new(big.Int)} }, func() any { return new(jsonHeld) },
		func() any { return new(json.Unmarshaler) }, func() any { var own json.Unmarshaler = valueOwn{}; return &own },
	}
}

func (*jsonNever) UnmarshalJSON([]byte) error { panic("hidden by the one of jsonNeverEither") }

func (*jsonNeverEither) UnmarshalJSON([]byte) error { panic("hidden by the one of jsonNever") }

func (c *jsonCalls) UnmarshalJSON([]byte) error {
	*c++
	return nil
}

// valueOwn decodes itself without a pointer to it.
type valueOwn map[string]int

func (v valueOwn) UnmarshalJSON(text []byte) error {
	v[string(text)]++
	return nil
}

// jsonVariables are variables of every kind of type, empty and filled.
func jsonVariables() []func() any {
	text := "there"
	filled := func() *jsonNested {
		return &jsonNested{
			Next: &jsonNested{Any: "x"}, Maps: map[string]jsonScalars{"a": {Text: "kept", List: []string{"1", "2"}}},
			Any: &jsonInner{1, 2}, List: []jsonScalars{{Int: 1, Text: "kept", Pointer: &text}, {Int: 2}}, Raw: json.RawMessage("[]"),
		}
	}
	return append(jsonHeldVariables(),
		func() any { return new(any) },
		func() any { var v any = &jsonInner{5, 6}; return &v },
		func() any { var v any = map[string]any{"kept": 1.0}; return &v },
		func() any { return new(string) }, func() any { return new(int) }, func() any { return new(float32) }, func() any { return new(*bool) },
		func() any { return new([]byte) }, func() any { return new([]any) }, func() any { return &[]int{7, 8, 9} }, func() any { return new([2]string) },
		func() any { return new(map[string]any) }, func() any { return &map[string]int{"kept": 1} }, func() any { return new(map[int64]string) },
		func() any { return new(map[float64]int) }, func() any { return new(map[bool]int) }, func() any { return new(map[any]int) },
		func() any { return new(map[json.Number]int) }, func() any { return new(json.Number) },
		func() any { return new(jsonScalars) }, func() any { return &jsonScalars{Text: "kept", Pointer: &text, Array: [2]int{1, 2}, Hidden: "kept"} },
		func() any { return new(jsonNested) }, func() any { return filled() },
		func() any { return new(jsonOwn) }, func() any { return new(jsonEmbedded) }, func() any { return new(jsonTimes) },
		func() any { return new(jsonKeys) }, func() any { return new(time.Time) }, func() any { return new(time.Duration) },
		func() any { return new([]jsonNested) }, func() any { return new(map[string]*jsonScalars) }, func() any { return new(json.RawMessage) },
		func() any { return new(func()) }, func() any { return new(struct{ C chan int }) },
		func() any { return new(jsonTwins) }, func() any { return new(jsonRivals) }, func() any { return new(map[string]complex64) },
	)
}

var jsonTexts = []string{
	`null`, `true`, `1`, `-0`, `1e400`, `300`, `"text"`, `"\ud800"`, `"a\u0000b"`, `[]`, `{}`, `[1,2,3,4]`, `["a",null]`, `[null]`, `"aGVsbG8="`, `"aGVs\nbG8="`, `"not base64!"`, `"12"`,
	`{"bool":true,"int":1.0,"small":200,"uint":-1,"float":1e2,"text":null,"pointer":"p","bytes":"AAEC","array":[1,2,3],"octets":[1,2,3],"list":["x"]}`,
	`{"BOOL":true,"Int":3,"untagged":"u","unexported":"x","Hidden":"h","-":"dash","text":"a","text":"b","list":["1"],"list":["2","3"]}`,
	`{"bool":null,"int":null,"array":[5],"octets":"AQID","pointer":null,"list":null,"bytes":null}`,
	`{"next":{"next":{"any":[1,{"a":null}]}},"maps":{"a":{"int":5},"b":{}},"by_int":{"1":"one","-2":"two"},"any":{"X":7},"list":[{"text":"t"}],"raw":{"a": [1 ,2]}}`,
	`{"1.5":2}`, `{"true":1}`, `{"7":8}`, `{"by_int":{"x":"y"}}`, `{"next":5}`, `{"list":{}}`, `{"maps":{"a":null}}`, `{"any":null,"next":null,"maps":null,"raw":null}`,
	`{"time":"2026-11-26T10:00:00Z","took":1500,"big":123456789012345678901234567890,"addr":"192.0.2.1","number":12.50,"quoted":"7","Inline":{"X":1},"X":3,"a b":"odd"}`,
	`{"time":"2026-11-26T10:00:00.5+01:00","by":{"192.0.2.1":1},"took":"1s","many":{"a":"2026-01-01T00:00:00Z"}}`, `{"time":"2026-11-26T9:00:00Z"}`, `{"time":"2026-11-26T10:00:00,5Z"}`, `{"number":"12"}`, `{"number":"x"}`, `{"number":true}`,
	`{"n":"abc"}`, `{"any":"abc"}`, `{"list":["a","b"]}`, `{"array":["abc"]}`, `{"map":{"N":"abc"}}`, `{"ptr":"abc"}`, `{"text":"abc"}`, `{"own":"abc"}`, `{"Held":"abc"}`,
	`{"deep":[null,{"deep":[{"any":"abc"}]}]}`, `{"deep":[{"any":{}},{"deep":[{"any":null}]}]}`, `{"any":12,"list":[1.5],"array":[null],"ptr":null,"text":5,"own":null,"Held":null}`, `[["abc"]]`, `[[1]]`,
	`{"X":1,"y":2,"Z":3,"int":4,"text":"t"}`, `{"id":1,"ID":2,"Id":3,"iD":4,"userid":5,"user_id":6,"USERID":7,"straße":8,"STRASSE":9}`,
	`{"a":1`, `{"a":1}x`, `[1,]`, ` [ 1 ] `, `{"a" : 01}`, `"2026-11-26T10:00:00Z"`, `1500`, `{"kept":null,"new":2}`, "{\"text\":\"a\tb\"}",
}

func TestJSONIsDecodedAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	for _, text := range jsonTexts {
		sameAsEncodingJSON(t, text)
	}
}

func FuzzJSONIsDecodedAsEncodingJSONDoes(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsEncodingJSON(t, text) })
}

func sameAsEncodingJSON(t *testing.T, text string) {
	t.Helper()
	for _, target := range jsonVariables() {
		if v := target(); isFastFor(v) && jsonv2.Unmarshal([]byte(text), v, fast) != nil && json.Unmarshal([]byte(text), target()) == nil {
			t.Errorf("%s into %T: encoding/json decodes it once more", text, v)
		}
		got, want := target(), target()
		gotErr, wantErr := unmarshalJSON([]byte(text), got), json.Unmarshal([]byte(text), want)
		if fmt.Sprintf("%T %v", gotErr, gotErr) != fmt.Sprintf("%T %v", wantErr, wantErr) {
			t.Errorf("%s into %T: error %v, want %v", text, got, gotErr, wantErr)
		}
		if wantErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s into %T:\ngot  %#v\nwant %#v", text, got, reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem())
		}
	}
}

func TestATypesOwnMethodRunsOnceForAResult(t *testing.T) {
	t.Parallel()
	onceFor[jsonScalars](t, `{}`)
	onceFor[jsonKeys](t, `{"ID":1}`)
	onceFor[jsonTwins](t, `{"Twin":1}`)
	onceFor[jsonRivals](t, `{"X":1,"Y":2}`)
	onceFor[struct{ F func() }](t, `{"F":null}`)
	onceFor[map[string]chan int](t, `{"a":null}`)
	onceFor[complex64](t, `null`)
}

func TestATypesOwnMethodRunsAtMostTwiceForAnError(t *testing.T) {
	t.Parallel()
	var result jsonCounted[int]
	err := unmarshalJSON([]byte(`{"calls":0,"rest":"text"}`), &result)
	if want := json.Unmarshal([]byte(`{"calls":0,"rest":"text"}`), new(jsonCounted[int])); want == nil || err == nil || err.Error() != want.Error() {
		t.Errorf("got %v, want %v", err, want)
	}
	if result.Calls < 1 || result.Calls > 2 {
		t.Errorf("the method ran %d times", result.Calls)
	}
}

func onceFor[T any](t *testing.T, rest string) {
	t.Helper()
	var result jsonCounted[T]
	if err := unmarshalJSON([]byte(`{"calls":0,"rest":`+rest+`}`), &result); err != nil || result.Calls != 1 {
		t.Errorf("%s into %T: the method ran %d times, error %v", rest, result.Rest, result.Calls, err)
	}
}

func TestMostTypesAreDecodedFast(t *testing.T) {
	t.Parallel()
	for _, target := range []any{new(any), new(jsonScalars), new(jsonNested), new(jsonTimes), new(jsonEmbedded), new(jsonHeld), new(map[string]any), new([]string), new(string)} {
		if !isFastFor(target) {
			t.Errorf("%T is left to encoding/json", target)
		}
	}
}

func TestVariablesThatAreUsedAgainAreDecodedFastIfTheyPointToNoInterfaces(t *testing.T) {
	t.Parallel()
	var anything any = "text"
	for _, target := range []any{
		&anything, &map[string]any{"a": new(int)}, &[]jsonScalars{{Text: "a"}}, &[]map[string]any{{"a": 1}}, &jsonScalars{Pointer: new(string)},
		&jsonHeld{Any: []any{1.5}, Map: map[string]any{"a": new(int)}, Hidden: new(big.Int)}, &[1]any{map[string]any{}},
	} {
		if !isFastFor(target) {
			t.Errorf("%T is left to encoding/json", target)
		}
	}
}

func TestWhatAResultLeavesAloneMayBeWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	shared, written := new(jsonHeld), make(chan struct{})
	list := []any{nil, nil}
	variable := jsonHeld{Deep: []*jsonHeld{shared}, Ptr: new(*any), List: list[:1]}
	go func() {
		shared.Any, list[1] = 1, 2
		close(written)
	}()
	if err := unmarshalJSON([]byte(`{"any":true,"list":[3]}`), &variable); err != nil || variable.Any != true {
		t.Errorf("got %v, %v", variable.Any, err)
	}
	<-written
}
