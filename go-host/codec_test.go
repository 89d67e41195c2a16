package rootbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"rootbridge/internal/frame"
)

func TestJSONAtTheDepthLimitPassesAndOneLevelMoreDoesNot(t *testing.T) {
	t.Parallel()
	nest := func(n int, open, inner, closing string) []byte {
		return []byte(strings.Repeat(open, n) + inner + strings.Repeat(closing, n))
	}
	for name, text := range map[string]func(n int) []byte{
		"arrays":       func(n int) []byte { return nest(n, "[", "", "]") },
		"objects":      func(n int) []byte { return nest(n, `{"a":`, "1", "}") },
		"with strings": func(n int) []byte { return nest(n, `["]]]\"\\",`, `"[[["`, "]") },
		"behind a string": func(n int) []byte {
			return []byte(`["` + strings.Repeat(`[{\"`, 5000) + `",` + string(nest(n-1, "[", "", "]")) + `]`)
		},
	} {
		if err := checkJSONDepth(text(maxDepth)); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		if err := checkJSONDepth(text(maxDepth + 1)); !errors.Is(err, errTooDeep) {
			t.Errorf("%s one past it: %v", name, err)
		}
	}
}

func TestMsgPackAtTheDepthLimitPassesAndOneLevelMoreDoesNot(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{
		"fixarray": "\x91", "array 16": "\xdc\x00\x01", "array 32": "\xdd\x00\x00\x00\x01",
		"fixmap": "\x81\xa1a", "map 16": "\xde\x00\x01\xa1a", "map 32": "\xdf\x00\x00\x00\x01\xa1a",
	} {
		if err := checkMsgPack([]byte(strings.Repeat(unit, maxDepth) + "\xc0")); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		if err := checkMsgPack([]byte(strings.Repeat(unit, maxDepth+1) + "\xc0")); !errors.Is(err, errTooDeep) {
			t.Errorf("%s one past it: %v", name, err)
		}
	}
}

type (
	difficult struct {
		A []int          `json:"a"`
		B map[string]any `json:"b"`
		C *string        `json:"c"`
	}
	unexported    struct{ D, E int }
	readsText     struct{ text string }
	readsMsgPack  struct{ value any }
	embedsPointer struct {
		*unexported `json:"u"`
		F           **readsText
	}
)

func (r *readsText) UnmarshalText(text []byte) error {
	r.text = string(text)
	return nil
}

func (r *readsMsgPack) UnmarshalMsgpack(encoded []byte) error {
	r.value = encoded
	return nil
}

// difficultTypes are those that a payload's values can't be stored in, or not all of them, and some that decode themselves.
var difficultTypes = []reflect.Type{
	reflect.TypeFor[difficult](), reflect.TypeFor[struct{ *unexported }](), reflect.TypeFor[embedsPointer](),
	reflect.TypeFor[error](), reflect.TypeFor[[]error](), reflect.TypeFor[map[string]fmt.Stringer](), reflect.TypeFor[map[error]any](),
	reflect.TypeFor[map[any]any](), reflect.TypeFor[map[[2]any]int](), reflect.TypeFor[map[struct{ A any }]int](), reflect.TypeFor[map[*int]int](),
	reflect.TypeFor[map[readsText]readsMsgPack](), reflect.TypeFor[map[bool]float32](), reflect.TypeFor[map[uint8][]byte](),
	reflect.TypeFor[uintptr](), reflect.TypeFor[complex64](), reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[[]unsafe.Pointer](),
	reflect.TypeFor[[2]int](), reflect.TypeFor[[0]string](), reflect.TypeFor[[2]byte](), reflect.TypeFor[[]frame.Encoding](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[*big.Int](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[url.URL](),
	reflect.TypeFor[json.Number](), reflect.TypeFor[[]json.RawMessage](), reflect.TypeFor[atomic.Int32](), reflect.TypeFor[sync.Mutex](),
}

// FuzzDecode checks that no payload makes a decoder panic, and that what encoding/json or the MessagePack library takes at a
// harmless depth is not refused.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "null", `{"a":[1,2,"\ud800"]}`, `"[[["`, "\xc0", "\x81\xa1a\x93\x01\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xc4\x01x",
		"\xd4\x00\x00", "\xd6\xff\x00\x00\x00\x00", "\xdf\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff\x00", "\x81\x81\xa1a\x01\x01",
		"\x81\x91\x01\x01", "\x81\xc4\x01a\x01", "\x81\xa1u\x81\xa1D\x01", "\x81\xa1D\x01", "\x92\xa1a\xc0", "\x81\xa3300\x01", "\xdd\x7f\xff\xff\xff\xc0", "\xc7\x00",
	} {
		for encoding := range byte(4) {
			f.Add([]byte(seed), encoding)
		}
	}
	f.Fuzz(func(t *testing.T, encoded []byte, encoding byte) {
		var value any
		_, err := decode(encoded, frame.Encoding(encoding&3), &value, JSONLibrary{})
		if frame.Encoding(encoding&3) == frame.JSON && json.Valid(encoded) && utf8.Valid(encoded) && err != nil && !errors.Is(err, errTooDeep) {
			var unmarshal *json.UnmarshalTypeError
			if !errors.As(err, &unmarshal) { // a number that is too large for a float64
				t.Errorf("valid JSON %q was refused: %v", encoded, err)
			}
		}
		for _, typ := range difficultTypes {
			var panicked *panicError
			if _, err := decode(encoded, frame.Encoding(encoding&3), reflect.New(typ).Interface(), JSONLibrary{}); errors.As(err, &panicked) {
				t.Errorf("%x into %s: %v", encoded, typ, err)
			}
		}
		_ = parseError(encoded)
	})
}

func TestAnEncoderIsUsedAgainWithoutRemainsOfTheLastCall(t *testing.T) {
	t.Parallel()
	for range 100 {
		p, err := encode(make(chan int), JSON, JSONLibrary{})
		if err == nil {
			t.Fatal("a channel was encoded")
		}
		p.release()
		p, err = encode(map[string]string{"a": "<&>"}, JSON, JSONLibrary{})
		if err != nil || !bytes.Equal(p.bytes, []byte(`{"a":"<&>"}`)) {
			t.Fatalf("got %s, %v", p.bytes, err)
		}
		p.release()
	}
}

// Types that panic in the methods that they encode and decode themselves with.
type (
	carelessJSON    struct{}
	carelessText    struct{ V int }
	carelessMsgPack struct{}
)

var errCareless = errors.New("careless")

func (carelessJSON) MarshalJSON() ([]byte, error) { panic(errCareless) }

func (*carelessJSON) UnmarshalJSON([]byte) error { panic(errCareless) }

func (carelessText) MarshalText() ([]byte, error) { panic(errCareless) }

func (*carelessText) UnmarshalText([]byte) error { panic(errCareless) }

func (*carelessMsgPack) MarshalMsgpack() ([]byte, error) { panic(errCareless) }

func (*carelessMsgPack) UnmarshalMsgpack([]byte) error { panic(errCareless) }

func TestAPanicOfATypesOwnMethodIsTheCallsError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec   Codec
		value   any
		payload string
		name    string
	}{
		{JSON, &carelessJSON{}, "1", "carelessJSON"},
		{JSON, &carelessText{}, `"a"`, "carelessText"},
		{MsgPack, &carelessText{}, "\xa1a", "carelessText"},
		{MsgPack, &carelessMsgPack{}, "\x01", "carelessMsgPack"},
	} {
		p, err := encode(c.value, c.codec, JSONLibrary{})
		expectCareless(t, err, c.name, ".Marshal")
		if p.encoding != c.codec.encoding() {
			t.Errorf("the error speaks of %s", p.encoding)
		}
		_, err = decode([]byte(c.payload), c.codec.encoding(), c.value, JSONLibrary{})
		expectCareless(t, err, c.name, ".Unmarshal")
	}
}

func expectCareless(t *testing.T, err error, names ...string) {
	t.Helper()
	if !errors.Is(err, errCareless) {
		t.Fatalf("expected the panic's error, got %v", err)
	}
	for _, name := range append(names, "codec_test.go:") {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("expected an error with %q, got %v", name, err)
		}
	}
}
