package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/bytedance/sonic"
	jsonv1 "github.com/go-json-experiment/json/v1"
	goccy "github.com/goccy/go-json"
	hashicorp "github.com/hashicorp/go-msgpack/v2/codec"
	segmentio "github.com/segmentio/encoding/json"
	shamaton "github.com/shamaton/msgpack/v3"
	ugorji "github.com/ugorji/go/codec"
	"github.com/vmihailenco/msgpack/v5"
)

// formatLibraries are those of which Rootbridge's were chosen: make bench-libraries. What they encode is in memory of its own, with
// the names of JSON's tags if they know them.
var formatLibraries = []struct {
	format, name string
	library
}{
	{"json", "encoding-json", standardJSON},
	{"json", "go-json-experiment", library{Marshal: jsonv1.Marshal, Unmarshal: unmarshalV1}},
	{"json", "segmentio", library{Marshal: segmentio.Marshal, Unmarshal: segmentio.Unmarshal}},
	{"json", "sonic-ConfigStd", sonicJSON},
	{"json", "sonic-ConfigDefault", library{Marshal: sonic.Marshal, Unmarshal: sonic.Unmarshal}},
	{"json", "goccy", library{Marshal: goccy.Marshal, Unmarshal: goccy.Unmarshal}},
	{"msgpack", "vmihailenco", vmihailencoLibrary()},
	{"msgpack", "ugorji", ugorjiLibrary()},
	{"msgpack", "shamaton", library{Marshal: shamaton.MarshalAsMap, Unmarshal: shamaton.UnmarshalAsMap}},
	{"msgpack", "hashicorp", hashicorpLibrary()},
}

func vmihailencoLibrary() library {
	encoder, decoder := msgpack.NewEncoder(nil), msgpack.NewDecoder(nil)
	encoder.SetCustomStructTag("json")
	encoder.UseCompactInts(true)
	decoder.SetCustomStructTag("json")
	return library{
		Marshal: func(in any) ([]byte, error) {
			var text bytes.Buffer
			encoder.ResetWriter(&text)
			err := encoder.Encode(in)
			return text.Bytes(), err
		},
		Unmarshal: func(text []byte, out any) error {
			decoder.ResetReader(bytes.NewReader(text))
			return decoder.Decode(out)
		},
	}
}

func ugorjiLibrary() library {
	handle := &ugorji.MsgpackHandle{WriteExt: true}
	return resetLibrary(ugorji.NewEncoderBytes(nil, handle), ugorji.NewDecoderBytes(nil, handle))
}

func hashicorpLibrary() library {
	handle := &hashicorp.MsgpackHandle{WriteExt: true}
	return resetLibrary(hashicorp.NewEncoderBytes(nil, handle), hashicorp.NewDecoderBytes(nil, handle))
}

// resetLibrary is one whose encoder and decoder are told anew where to write and read.
func resetLibrary(encoder interface {
	ResetBytes(text *[]byte)
	Encode(in any) error
}, decoder interface {
	ResetBytes(text []byte)
	Decode(out any) error
},
) library {
	return library{
		Marshal: func(in any) (text []byte, err error) {
			encoder.ResetBytes(&text)
			err = encoder.Encode(in)
			return text, err
		},
		Unmarshal: func(text []byte, out any) error {
			decoder.ResetBytes(text)
			return decoder.Decode(out)
		},
	}
}

func TestEachFormatsLibraryReadsWhatItHasWritten(t *testing.T) { //nolint:paralleltest // some of the libraries are for one goroutine
	for _, l := range formatLibraries {
		for _, w := range formatWorks(t) {
			for i, text := range encodedValues(t, l.library, w) {
				if knowsTags := bytes.Contains(text, []byte("routeKey")) || bytes.Contains(text, []byte("stock")); knowsTags == (l.name == "shamaton") {
					t.Errorf("%s: %s: it knows JSON's tags: %t", l.name, w.name, knowsTags)
				}
				out := w.out()
				if err := l.Unmarshal(text, out); err != nil {
					t.Fatal(err)
				}
				if in := w.values()[i].in; !reflect.DeepEqual(out, in) {
					t.Errorf("%s: %s: expected %s, got %s", l.name, w.name, short(in), short(out))
				}
			}
		}
	}
}

// BenchmarkLibraries leaves its values to node/libraries.ts, which has the same measured then.
func BenchmarkLibraries(b *testing.B) {
	works := formatWorks(b)
	writeValues(b, works)
	for _, l := range formatLibraries {
		for _, w := range works {
			name := fmt.Sprintf("format=%s/library=%s/value=%s/do=", l.format, l.name, w.name)
			b.Run(name+"encode", func(b *testing.B) { benchmarkEncode(b, l.library, w) })
			b.Run(name+"decode", func(b *testing.B) { benchmarkDecode(b, l.library, w) })
		}
	}
}

func formatWorks(t testing.TB) (list []*work) {
	t.Helper()
	for _, name := range []string{"echo-2KB", "echo-1MiB"} {
		w, err := workOf(name)
		if err != nil {
			t.Fatal(err)
		}
		w.values() // which takes none of what is measured, and the same memory beside each library
		list = append(list, w)
	}
	return list
}

func writeValues(b *testing.B, works []*work) {
	b.Helper()
	all := map[string][]any{}
	for _, w := range works {
		for _, v := range w.values() {
			all[w.name] = append(all[w.name], v.in)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile("build/libraries.json", text, 0o600); err != nil {
		b.Fatal(err)
	}
}

// A library may compile what it does with a type when it sees its first value.
func benchmarkEncode(b *testing.B, l library, w *work) {
	b.Helper()
	if _, err := l.Marshal(w.value(0, 0).in); err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		if _, err := l.Marshal(w.value(0, n).in); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkDecode(b *testing.B, l library, w *work) {
	b.Helper()
	texts := encodedValues(b, l, w)
	if err := l.Unmarshal(texts[0], w.out()); err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		if err := l.Unmarshal(texts[n%len(texts)], w.out()); err != nil {
			b.Fatal(err)
		}
	}
}
