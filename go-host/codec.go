package rootbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"rootbridge/internal/frame"
)

// maxDepth is how deep arrays and maps may nest (protocol/README.md, section 5).
const maxDepth = 2_000

var errTooDeep = fmt.Errorf("nested more than %d levels deep", maxDepth)

// payload is an encoded argument. Bytes stay valid until release.
type payload struct {
	bytes    []byte
	encoding frame.Encoding
	memory   interface{ release() } // of the bytes, or nil where it is the caller's
}

// encode turns a Go value into a payload: []byte is sent raw, json.RawMessage and Encoded as they are, nil as no argument
// at all.
func encode(in any, codec Codec, library JSONLibrary) (p payload, err error) {
	p.encoding = codec.encoding()
	defer func() { err = orPanic(err, recover()) }()
	switch value := in.(type) {
	case nil:
		return p, nil
	case []byte:
		return payload{bytes: value, encoding: frame.Raw}, nil
	case json.RawMessage:
		return payload{bytes: value, encoding: frame.JSON}, checkJSONDepth(value)
	case Encoded:
		return value.payload(codec)
	case Args:
		if value == nil {
			in = Args{} // a nil list is an empty list, not null
		}
	}
	if codec == MsgPack {
		return encodeMsgPack(in)
	}
	if library.Marshal != nil {
		p.bytes, err = library.Marshal(in)
		return p, errors.Join(err, checkJSONDepth(p.bytes))
	}
	return encodeJSON(in)
}

// encodedSize is the number of bytes of an argument as far as it is known before it is encoded: at least 1 if there is any.
func encodedSize(in any) int {
	switch value := in.(type) {
	case nil:
		return 0
	case []byte:
		return len(value)
	case json.RawMessage:
		return len(value)
	case Encoded:
		return len(value.Bytes)
	case string:
		return len(value)
	default:
		return 1
	}
}

func (c Codec) encoding() frame.Encoding {
	if c == MsgPack {
		return frame.MsgPack
	}
	return frame.JSON
}

// release gives the payload's memory back.
func (p payload) release() {
	if p.memory != nil {
		p.memory.release()
	}
}

// keptEncoder is the largest buffer, in bytes, that is kept for the next call.
const keptEncoder = 4 << 20

type jsonEncoder struct {
	buffer  bytes.Buffer
	encoder *json.Encoder
}

func (e *jsonEncoder) release() {
	if e.buffer.Cap() <= keptEncoder {
		encoders.Put(e)
	}
}

var encoders = sync.Pool{New: func() any {
	e := new(jsonEncoder)
	e.encoder = json.NewEncoder(&e.buffer)
	e.encoder.SetEscapeHTML(false)
	return e
}}

func encodeJSON(in any) (payload, error) {
	e := encoders.Get().(*jsonEncoder) //nolint:errcheck // the pool holds nothing else
	e.buffer.Reset()
	p := payload{encoding: frame.JSON, memory: e}
	if err := e.encoder.Encode(in); err != nil {
		return p, err
	}
	p.bytes = bytes.TrimSuffix(e.buffer.Bytes(), []byte("\n"))
	return p, checkJSONDepth(p.bytes)
}

// decode stores a result in out: any pointer, or nil to drop it. *[]byte, *json.RawMessage and *Encoded take the payload
// itself, *bytes.Buffer a copy. It reports whether the payload's memory is no longer the caller's,
// which is not known after an error.
func decode(encoded []byte, encoding frame.Encoding, out any, library JSONLibrary) (kept bool, err error) {
	defer func() { err = orPanic(err, recover()) }()
	switch target := out.(type) {
	case *[]byte:
		*target = frame.Keep(encoded)
		return true, nil
	case *bytes.Buffer:
		_, _ = target.Write(encoded) // never fails
		return false, nil
	case *Encoded:
		*target = encodedAs(frame.Keep(encoded), encoding)
		return true, nil
	}
	if out == nil {
		return false, nil
	}
	switch encoding {
	case frame.Raw:
		return decodeRaw(encoded, out)
	case frame.JSON:
		return decodeJSON(encoded, out, library)
	case frame.MsgPack:
		return false, decodeMsgPack(encoded, out)
	case frame.Reserved:
	}
	return false, errors.New("the worker used an encoding that the protocol reserves")
}

// orPanic makes a panic the call's error. It comes from a method that a type encodes or decodes itself with; encoding/json
// lets it through, but here what a worker sends must not end the program.
func orPanic(err error, panicked any) error {
	if panicked == nil {
		return err
	}
	return &panicError{value: panicked, place: panicPlace()}
}

type panicError struct {
	value any
	place string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic in %s: %v", e.place, e.value) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// panicPlace returns the function, file and line that panicked, for a deferred function.
func panicPlace() string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers[:])])
	for panicked := false; ; {
		f, more := frames.Next()
		own := !strings.HasPrefix(f.Function, "runtime.") && !isJSONFunction(f.Function)
		if panicked && own || !more {
			return fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
	}
}

// isJSONFunction tells the libraries' functions, which panic again with what they have caught.
func isJSONFunction(name string) bool {
	return strings.HasPrefix(name, "encoding/json.") || strings.HasPrefix(name, "github.com/go-json-experiment/json")
}

func decodeRaw(encoded []byte, out any) (kept bool, err error) {
	if target, ok := out.(*any); ok {
		*target = frame.Keep(encoded)
		return true, nil
	}
	return false, fmt.Errorf("the function returned bytes, which need a *[]byte, not a %T", out)
}

func decodeJSON(encoded []byte, out any, library JSONLibrary) (kept bool, err error) {
	if len(encoded) == 0 {
		encoded = []byte("null") // undefined
	}
	if err := checkJSONDepth(encoded); err != nil {
		return false, err
	}
	if target, ok := out.(*json.RawMessage); ok {
		*target = frame.Keep(encoded)
		return true, nil
	}
	if err := clearTarget(encoded, out); err != nil {
		return false, err
	}
	if !utf8.Valid(encoded) {
		return false, errors.New("the JSON text is not UTF-8") // encoding/json would mend it silently
	}
	if library.Unmarshal != nil {
		return true, library.Unmarshal(frame.Keep(encoded), out)
	}
	return false, unmarshalJSON(encoded, out)
}

// clearTarget makes a null set out to its zero value: encoding/json would leave what stood there before.
func clearTarget(encoded []byte, out any) error {
	if string(encoded) != "null" {
		return nil
	}
	target := reflect.ValueOf(out)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errNoPointer(out)
	}
	target.Elem().SetZero()
	return nil
}

func errNoPointer(out any) error {
	return fmt.Errorf("expected a pointer to decode the result into, got %T", out)
}

// checkJSONDepth finds JSON that is nested too deeply. It looks only at texts long enough to be.
func checkJSONDepth(text []byte) error {
	if len(text) < 2*maxDepth {
		return nil
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLength(text[i+1:])
		case '[', '{':
			depth++
			if depth > maxDepth {
				return errTooDeep
			}
		case ']', '}':
			depth--
		}
	}
	return nil
}

// stringLength returns the number of bytes up to and with the quote that ends a JSON string.
func stringLength(rest []byte) int {
	for i := 0; i < len(rest); i++ {
		quote := bytes.IndexByte(rest[i:], '"')
		if quote < 0 {
			return len(rest)
		}
		i += quote
		backslashes := 0
		for i > backslashes && rest[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i + 1
		}
	}
	return len(rest)
}
