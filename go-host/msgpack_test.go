package rootbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Shapes are structs in which the rules of encoding/json for fields matter.
type (
	shapeA struct {
		X int `json:"x"`
		Y string
		Z *float64
	}
	ShapeB struct {
		X    int `json:"X"`
		Y    string
		Deep *shapeDeep
	}
	shapeDeep struct {
		*ShapeB
		Kids []shapeDeep    `json:"kids,omitempty"`
		More map[string]any `json:"more"`
	}
	shapeHidden struct {
		shapeA
		Y string
	}
	shapeAmbiguous struct { // X and Y are at the same depth twice, but x is tagged once
		shapeA
		ShapeB
	}
	shapeTagged struct {
		shapeA  `json:"a"`
		*ShapeB `json:"b,omitempty"`
	}
	shapeRecursive struct {
		*ShapeRecursive
		V int
	}
	ShapeRecursive struct {
		*ShapeRecursive
		W int
	}
	shapeText    string
	shapeOptions struct {
		A    int               `json:"a,string"`
		B    *bool             `json:"b,string,omitempty"`
		C    string            `json:",string"`
		D    any               `json:"d,omitempty"`
		E    time.Time         `json:"e,omitzero"`
		F    *string           `json:"f,omitempty"`
		G    [0]int            `json:"g,omitempty"`
		H    struct{}          `json:"h,omitempty"`
		I    int               `json:"-"`
		J    int               `json:"-,"`        //nolint:staticcheck // encoding/json takes it
		K    int               `json:"bad\"name"` //nolint:staticcheck // likewise, as no name
		L    int               `json:"l" msgpack:"other,omitempty"`
		M    map[int8]int      `json:"m"`
		N    map[shapeText]int `json:"n,omitempty"`
		O    []any             `json:"o"`
		P    netip.Addr        `json:"p,omitzero"`
		Snow int               `json:"☃,omitempty"`
		Fold bool              `json:"fold"`
		FOLD bool              `json:"FOLD"`
		skip int
	}
	shapeEmbeddedText struct {
		shapeText
		fmt.Stringer `json:"s"`
		ShapeText
	}
	ShapeText string
)

func TestMsgPackSeesInStructsWhatEncodingJSONSees(t *testing.T) {
	t.Parallel()
	yes, half := true, 0.5
	b := ShapeB{X: 3, Y: "b", Deep: &shapeDeep{More: map[string]any{"k": []any{1, nil}}}}
	for _, value := range []any{
		shapeA{},
		shapeA{1, "y", &half},
		b,
		shapeDeep{},
		shapeDeep{ShapeB: &b, Kids: []shapeDeep{{}, {ShapeB: &ShapeB{}}}},
		shapeHidden{shapeA{1, "inner", nil}, "outer"},
		shapeAmbiguous{shapeA{1, "a", nil}, b},
		shapeTagged{},
		shapeTagged{shapeA{1, "a", nil}, &b},
		shapeRecursive{V: 1},
		&shapeRecursive{&ShapeRecursive{W: 2}, 1},
		shapeEmbeddedText{shapeText: "a", ShapeText: "b"},
		shapeOptions{O: []any{}},
		&shapeOptions{
			A: 1, B: &yes, C: "c", D: 0, E: time.Unix(0, 0).UTC(), I: 2, J: 3, K: 4, L: 5, skip: 6,
			N: map[shapeText]int{"t": 1}, P: netip.MustParseAddr("::1"), Snow: 7, Fold: true,
		},
		map[string]*shapeA{"a": {}, "b": nil},
		[2]shapeA{},
		[]any{(*shapeA)(nil), &shapeA{}},
		struct{}{},
	} {
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := encodeMsgPack(value)
		if err != nil {
			t.Errorf("%T: %v", value, err)
			continue
		}
		var got any
		if err := decodeMsgPack(encoded.bytes, &got); err != nil {
			t.Fatal(err)
		}
		if got, want := generic(t, got), generic(t, json.RawMessage(want)); got != want {
			t.Errorf("%T became\n%s, and with json\n%s", value, got, want)
		}
	}
}

// generic writes a value as JSON that can be compared.
func generic(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var parsed any
	if err := json.Unmarshal(text, &parsed); err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// FuzzMsgPackDecodesLikeJSON checks that what encoding/json stores in a variable is what msgpack stores there.
func FuzzMsgPackDecodesLikeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"x":1,"X":2,"Y":"y","Z":0.5,"deep":{"x":4,"kids":[{},{"X":5}],"more":{"a":[null]}}}`, `{"y":"fold"}`,
		`{"a":"1","b":"true","C":"\"c\"","m":{"-01":1},"n":{"t":1},"o":[1,"a",null,{"b":[]}],"J":1,"-":2,"K":3,"l":4,"FOLD":true}`,
		`{"a":{"x":1},"b":{"X":2,"Y":null}}`, `{"V":1,"W":2}`, `{"fOlD":true,"p":"::1","e":"2020-01-01T00:00:00Z"}`,
		`{"a":"null","d":9223372036854775808,"m":{"300":1}}`, `{"a":"007","b":"null","C":"\"\\u00e4\""}`, `{"a":"-00","b":"TRUE"}`, `[1,2,3]`, `"a"`, `12`, `null`, `{"s":null,"ShapeText":"a","shapeText":1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, ok := parseUnambiguous(text)
		if !ok {
			return
		}
		encoded, err := encodeMsgPack(value)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range []func() any{
			func() any { return new(shapeA) }, func() any { return &shapeDeep{Kids: []shapeDeep{{}}, More: map[string]any{"old": 1}} },
			func() any { return new(shapeHidden) }, func() any { return &shapeAmbiguous{ShapeB: ShapeB{Y: "old"}} },
			func() any { return new(shapeTagged) }, func() any { return new(shapeRecursive) }, func() any { return new(shapeEmbeddedText) },
			func() any { return &shapeOptions{A: 1, C: "old", D: new(int), M: map[int8]int{7: 7}} },
			func() any { return new(map[string]*shapeA) }, func() any { return new([]int) }, func() any { return new(**string) },
			func() any { return new(uint64) }, func() any { return new(map[uint16]any) },
		} {
			want, got := shape(), shape()
			if _, err := decodeJSON(canonical, want, JSONLibrary{}); err != nil {
				continue
			}
			if err := decodeMsgPack(encoded.bytes, got); err != nil || generic(t, got) != generic(t, want) {
				t.Errorf("%s into %T: got %s, %v; with json %s", canonical, got, generic(t, got), err, generic(t, want))
			}
		}
	})
}

// parseUnambiguous parses JSON into what both codecs see alike: objects have no order there, so no two keys may be one
// field's. Whole numbers are integers, as the worker sends them.
func parseUnambiguous(text string) (value any, ok bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil || checkJSONDepth([]byte(text)) != nil {
		return nil, false
	}
	return unambiguous(value)
}

func unambiguous(value any) (_ any, ok bool) {
	switch value := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
			return n, true
		}
		if n, err := strconv.ParseUint(value.String(), 10, 64); err == nil {
			return n, true
		}
		f, err := value.Float64()
		return f, err == nil && f != math.Trunc(f)
	case []any:
		for i := range value {
			if value[i], ok = unambiguous(value[i]); !ok {
				return nil, false
			}
		}
	case map[string]any:
		seen := map[string]bool{}
		for key := range value {
			folded := strings.ToLower(strings.ToUpper(key))
			if value[key], ok = unambiguous(value[key]); !ok || seen[folded] {
				return nil, false
			}
			seen[folded] = true
		}
	}
	return value, true
}

func TestMsgPackIntegersFitOrAreRefused(t *testing.T) {
	t.Parallel()
	for _, number := range []any{
		int64(0), int64(127), int64(128), int64(-128), int64(-129), int64(255), int64(256), int64(1 << 15), int64(-1 << 15), int64(1 << 16),
		int64(1 << 31), int64(-1<<31 - 1), int64(1 << 32), int64(1<<63 - 1), int64(-1 << 63), uint64(1 << 63), uint64(1<<64 - 1),
	} {
		encoded, err := encodeMsgPack(number)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(number)
		for _, out := range []any{
			new(int), new(int8), new(int16), new(int32), new(int64), new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(uintptr),
		} {
			want := reflect.New(reflect.TypeOf(out).Elem()).Interface()
			wantErr := json.Unmarshal([]byte(text), want)
			err := decodeMsgPack(encoded.bytes, out)
			if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(out, want) {
				t.Errorf("%s into %T: got %v, %v; expected %v, %v", text, out, reflect.ValueOf(out).Elem(), err, reflect.ValueOf(want).Elem(), wantErr)
			}
			if err != nil && !strings.Contains(err.Error(), "result is "+text+", which doesn't fit into ") {
				t.Error(err)
			}
		}
	}
}

// loop is a type of nothing but pointers.
type loop *loop

func TestMsgPackRefusesPointersThatLeadNowhere(t *testing.T) {
	t.Parallel()
	var endless loop
	endless = &endless
	if _, err := encodeMsgPack(endless); !errors.Is(err, errTooDeep) {
		t.Errorf("encoding: %v", err)
	}
	if encoded, err := encodeMsgPack(loop(nil)); err != nil || string(encoded.bytes) != "\xc0" {
		t.Errorf("encoding nil: %x, %v", encoded.bytes, err)
	}
	if err := decodeMsgPack([]byte{1}, new(loop)); !errors.Is(err, errTooDeep) {
		t.Errorf("decoding: %v", err)
	}
}

func TestMsgPackRefusesValuesThatHoldThemselves(t *testing.T) {
	t.Parallel()
	list, object, shape := []any{nil}, map[string]any{}, shapeDeep{More: map[string]any{}}
	list[0], object["self"], shape.More["self"] = list, object, &shape
	for _, value := range []any{list, object, &shape} {
		if _, err := encodeMsgPack(value); !errors.Is(err, errTooDeep) {
			t.Errorf("%T: %v", value, err)
		}
	}
}

// russianDoll encodes itself as a list with nothing but a smaller one, with none below 1.
type russianDoll int

func (d russianDoll) EncodeMsgpack(encoder *msgpack.Encoder) error {
	if d < 1 {
		return encoder.EncodeNil()
	}
	return errors.Join(encoder.EncodeArrayLen(1), encoder.Encode(d-1))
}

func TestMsgPackCountsTheLevelsOfWhatEncodesItselfWithThoseAroundIt(t *testing.T) {
	t.Parallel()
	for _, around := range []int{0, 1, 1_000, maxDepth} {
		room := maxDepth - around
		for size, want := range map[int]error{room: nil, room + 1: errTooDeep} {
			var value any = []any{russianDoll(size), "and what follows it"}
			if around == 0 {
				value = russianDoll(size)
			}
			for range around - 1 {
				value = []any{value}
			}
			if _, err := encodeMsgPack(value); !errors.Is(err, want) {
				t.Errorf("%d levels within %d: got %v, expected %v", size, around, err, want)
			}
		}
	}
}

func TestMsgPackCountsTheLevelsOfKeysThatEncodeThemselves(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{maxDepth - 11: nil, maxDepth - 10: errTooDeep} {
		var value any = map[russianDoll]int{russianDoll(size): 1}
		for range 10 {
			value = []any{value}
		}
		if _, err := encodeMsgPack(value); !errors.Is(err, want) {
			t.Errorf("a key of %d levels within 11: got %v, expected %v", size, err, want)
		}
	}
}

// writer encodes itself by whatever a function writes.
type writer func(*msgpack.Encoder) error

func (w writer) EncodeMsgpack(encoder *msgpack.Encoder) error { return w(encoder) }

func TestMsgPackRefusesWhatEncodesItselfAsNoWholeValue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write writer
		want  error
	}{
		"one value":              {func(e *msgpack.Encoder) error { return e.EncodeInt(1) }, nil},
		"nothing":                {func(*msgpack.Encoder) error { return nil }, errShortMsgPack},
		"a list without items":   {func(e *msgpack.Encoder) error { return e.EncodeArrayLen(1) }, errShortMsgPack},
		"two values":             {func(e *msgpack.Encoder) error { return errors.Join(e.EncodeInt(1), e.EncodeInt(2)) }, errManyMsgPack},
		"half of a text":         {func(e *msgpack.Encoder) error { return e.EncodeBytesLen(5) }, errShortMsgPack},
		"an error not passed on": {func(e *msgpack.Encoder) error { _ = e.Encode(russianDoll(maxDepth)); return nil }, errTooDeep},
	} {
		for _, value := range []any{[]any{c.write}, map[string]any{"in": c.write}, []any{[]any{c.write, "and more"}}} {
			if _, err := encodeMsgPack(value); !errors.Is(err, c.want) {
				t.Errorf("%s in %T: got %v, expected %v", name, value, err, c.want)
			}
		}
	}
}

func TestMsgPackCountsLevelsAnewAfterWhatEncodesItself(t *testing.T) {
	t.Parallel()
	var first, second any = russianDoll(1), nil
	for range maxDepth - 10 {
		first, second = []any{first}, []any{second}
	}
	if _, err := encodeMsgPack([]any{first, second}); err != nil {
		t.Error(err)
	}
}

func TestMsgPackCountsTheLevelsOfListsAndObjects(t *testing.T) {
	t.Parallel()
	for _, wrap := range []func(any) any{
		func(value any) any { return []any{value} },
		func(value any) any { return map[string]any{"in": value} },
		func(value any) any { return struct{ In any }{value} },
	} {
		var value any = []any{} // which opens no level
		for range maxDepth {
			value = wrap(value)
		}
		if _, err := encodeMsgPack(value); err != nil {
			t.Error(err)
		}
		if _, err := encodeMsgPack(wrap(value)); !errors.Is(err, errTooDeep) {
			t.Errorf("%T: %v", value, err)
		}
	}
}

func TestMsgPackIsEncodedAnewAfterAValueThatFailed(t *testing.T) {
	t.Parallel()
	for range 100 {
		failed, err := encodeMsgPack([]any{"left", "over", func() {}})
		if err == nil {
			t.Fatal("a function was encoded")
		}
		failed.release()
		encoded, err := encodeMsgPack([]any{1})
		if err != nil || string(encoded.bytes) != "\x91\x01" {
			t.Fatalf("%x, %v", encoded.bytes, err)
		}
		encoded.release()
	}
}

func TestMsgPackTextsThatAreNearlyAlikeStayApart(t *testing.T) {
	t.Parallel()
	var want []string
	for range 3 {
		for a := range 12 {
			for b := range 12 {
				want = append(want, fmt.Sprintf("x%c%cx", 'a'+a, 'a'+b), strings.Repeat("y", a+b))
			}
		}
	}
	encoded, err := encodeMsgPack(want)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := decodeMsgPack(encoded.bytes, &got); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMsgPackFieldsAreFoundInAnyOrder(t *testing.T) {
	t.Parallel()
	type shape struct{ A, B, C, D int }
	want := shape{1, 2, 3, 4}
	names := []string{"A", "B", "C", "D", "unknown", "b"} // b is B, by the last of its rules
	for range 200 {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		text := []byte{0x86}
		for _, name := range names {
			text = append(append(text, packedText(name)...), map[string]byte{"A": 1, "B": 2, "b": 2, "C": 3, "D": 4}[name])
		}
		var got shape
		if err := decodeMsgPack(text, &got); err != nil || got != want {
			t.Errorf("%q: %v, %v", names, got, err)
		}
	}
}

// keeper keeps the encoder that it is given, and writes to it later, when it is asked for its text.
type keeper struct{ kept **msgpack.Encoder }

func (k keeper) EncodeMsgpack(encoder *msgpack.Encoder) error {
	*k.kept = encoder
	return encoder.EncodeNil()
}

type lateWriter struct{ keeper }

func (w lateWriter) EncodeMsgpack() {} // not its keeper's

func (w lateWriter) MarshalText() ([]byte, error) {
	return []byte("text"), (*w.kept).EncodeString("late")
}

func TestMsgPackEncodersThatWereLentAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	var kept *msgpack.Encoder
	for range 100 {
		lent, err := encodeMsgPack(keeper{&kept})
		if err != nil {
			t.Fatal(err)
		}
		lent.release()
		encoded, err := encodeMsgPack(lateWriter{keeper{&kept}})
		if want := "\xa4text"; err != nil || string(encoded.bytes) != want {
			t.Fatalf("got %x, %v, expected %x", encoded.bytes, err, want)
		}
		encoded.release()
	}
}
