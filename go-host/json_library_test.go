package rootbridge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"rootbridge"
	"rootbridge/rootbridgetest"
)

// shouting writes all texts in capitals, and reads as encoding/json does, so that each use of it shows.
var shouting = rootbridge.JSONLibrary{
	Marshal: func(value any) ([]byte, error) {
		text, err := json.Marshal(value)
		return []byte(strings.ToUpper(string(text))), err
	},
	Unmarshal: func(text []byte, value any) error {
		return json.Unmarshal([]byte(strings.ReplaceAll(string(text), "!", "?")), value)
	},
}

func TestAnotherJSONLibraryEncodesArgumentsAndDecodesResults(t *testing.T) {
	t.Parallel()
	host := rootbridgetest.Start(t, `export const add = (text) => text + "!";`, onTestNode, func(o *rootbridge.Options) { o.JSON = shouting })
	if got := call[string](t, host, "add", "hello"); got != "HELLO?" {
		t.Errorf("got %q", got)
	}
	if got := call[json.RawMessage](t, host, "add", json.RawMessage(`"passed"`)); string(got) != `"passed!"` {
		t.Errorf("JSON that is there already became %s", got)
	}
}

func TestAnotherJSONLibraryMayKeepTheText(t *testing.T) {
	t.Parallel()
	var kept [][]byte
	host := rootbridgetest.Start(t, `export const echo = (text) => text;`, onTestNode, func(o *rootbridge.Options) {
		o.JSON = rootbridge.JSONLibrary{Marshal: json.Marshal, Unmarshal: func(text []byte, value any) error {
			kept = append(kept, text)
			return json.Unmarshal(text, value)
		}}
	})
	for _, text := range []string{"first", "other", "third"} {
		call[string](t, host, "echo", text)
	}
	if got := string(kept[0]); got != `"first"` {
		t.Errorf("the first text became %s", got)
	}
}

func TestWhatAnotherJSONLibraryFailsWithIsTheCallsError(t *testing.T) {
	t.Parallel()
	failure := errors.New("no such value")
	library := rootbridge.JSONLibrary{
		Marshal:   func(value any) ([]byte, error) { return []byte("1"), map[any]error{"bad": failure}[value] },
		Unmarshal: func([]byte, any) error { panic(failure) },
	}
	host := rootbridgetest.Start(t, `export const echo = (value) => value;`, onTestNode, func(o *rootbridge.Options) { o.JSON = library })
	for in, code := range map[string]rootbridge.Code{"bad": rootbridge.CodeInvalidArgument, "good": rootbridge.CodeUnencodableResult} {
		var out int
		if err := host.Call(t.Context(), "echo", in, &out); rootbridge.CodeOf(err) != code || !errors.Is(err, failure) {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

// told knows whether a result was null: encoding/json tells a type's own method of it.
type told struct{ null bool }

func (v *told) UnmarshalJSON(text []byte) error {
	v.null = string(text) == "null"
	return nil
}

func TestANullClearsTheVariableAndThenGetsToTheJSONLibrary(t *testing.T) {
	t.Parallel()
	var found []string
	looking := rootbridge.JSONLibrary{Marshal: json.Marshal, Unmarshal: func(text []byte, value any) error {
		found = append(found, fmt.Sprintf("%s for %v", text, reflect.ValueOf(value).Elem()))
		return json.Unmarshal(text, value)
	}}
	for _, library := range []rootbridge.JSONLibrary{{}, looking} {
		host := rootbridgetest.Start(t, `export const nul = () => null; export const nothing = () => {};`, onTestNode, func(o *rootbridge.Options) { o.JSON = library })
		for _, method := range []string{"nul", "nothing"} {
			number := 7
			if err := host.Call(t.Context(), method, nil, &number); err != nil || number != 0 {
				t.Errorf("%s: got %d, %v", method, number, err)
			}
			if !call[told](t, host, method, nil).null {
				t.Errorf("%s: the type's own method was not told", method)
			}
		}
	}
	if want := []string{"null for 0", "null for {false}", "null for 0", "null for {false}"}; !slices.Equal(found, want) {
		t.Errorf("the library got %q, want %q", found, want)
	}
}

func TestHalfAJSONLibraryIsRefused(t *testing.T) {
	t.Parallel()
	_, err := rootbridge.Start(t.Context(), rootbridge.Options{Source: "export {}", JSON: rootbridge.JSONLibrary{Marshal: json.Marshal}})
	if rootbridge.CodeOf(err) != rootbridge.CodeInvalidArgument || !strings.Contains(err.Error(), "Options.JSON") {
		t.Errorf("got %v", err)
	}
}

type touchy struct{}

func (*touchy) UnmarshalJSON([]byte) error { panic("touchy") }

func TestAPanicOfAJSONLibraryMixesUpNoResults(t *testing.T) {
	t.Parallel()
	host := start(t, `export const echo = (v) => v; export const fill = ([size, byte]) => Buffer.alloc(size, byte);`, with(func(o *rootbridge.Options) {
		o.Concurrency = 16
		o.JSON = rootbridge.JSONLibrary{Marshal: json.Marshal, Unmarshal: json.Unmarshal}
	}))
	for range 5 {
		for range 8 {
			expectCode(t, host.Call(t.Context(), "echo", "x", new(touchy)), rootbridge.CodeUnencodableResult, "touchy")
		}
		var callers sync.WaitGroup
		for caller := range 16 {
			callers.Go(func() {
				for range 20 {
					got := call[[]byte](t, host, "fill", []int{3_000, caller})
					if want := bytes.Repeat([]byte{byte(caller)}, 3_000); !bytes.Equal(got, want) {
						t.Errorf("caller %d got another's result", caller)
					}
				}
			})
		}
		callers.Wait()
	}
}

// unreadable is an error that refers to the text it is about.
type unreadable struct{ text []byte }

func (e unreadable) Error() string { return "can't read " + string(e.text) }

type picky struct{}

func (*picky) UnmarshalJSON(text []byte) error { return unreadable{text} }

func TestAnErrorOfATypeThatDecodesItselfIsAboutItsOwnResult(t *testing.T) {
	t.Parallel()
	host := start(t, `export const echo = (v) => v;`, with(func(o *rootbridge.Options) { o.Concurrency = 32 }))
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 100 {
				text := fmt.Sprintf("caller %d, call %d", caller, i)
				expectCode(t, host.Call(t.Context(), "echo", text, new(picky)), rootbridge.CodeUnencodableResult, text)
			}
		})
	}
	callers.Wait()
}
