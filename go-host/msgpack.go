package rootbridge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
)

// encodeMsgPack uses encoding/json's tags, and the smallest form of each integer: JavaScript reads a 64-bit form as a
// BigInt.
func encodeMsgPack(in any) ([]byte, error) {
	if err := checkPointers(reflect.ValueOf(in), 0); err != nil {
		return nil, err
	}
	var buffer msgPackBuffer
	encoder := msgpack.NewEncoder(&buffer)
	encoder.SetCustomStructTag("json")
	encoder.UseCompactInts(true)
	if err := encoder.Encode(in); err != nil {
		return nil, err
	}
	return buffer.bytes, nil
}

// checkPointers finds a value that leads to itself without anything that could be encoded on the way, such as x = &x: the
// library would follow it until there is no stack left. Cycles with something on the way end at the depth limit.
func checkPointers(v reflect.Value, depth int) error {
	if depth > 4*maxDepth { // an array or map is at most an interface, a pointer, a struct and itself
		return errTooDeep
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkPointers(v.Elem(), depth+1)
	case reflect.Map:
		for entries := v.MapRange(); mayHoldPointers(v.Type().Elem()) && entries.Next(); {
			if err := checkPointers(entries.Value(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		for i := 0; mayHoldPointers(v.Type().Elem()) && i < v.Len(); i++ {
			if err := checkPointers(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); !field.IsExported() && !field.Anonymous {
				continue // not encoded
			}
			if err := checkPointers(v.Field(i), depth+1); err != nil {
				return err
			}
		}
	default:
	}
	return nil
}

// mayHoldPointers spares long lists of plain values the walk.
func mayHoldPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array, reflect.Struct:
		return true
	default:
		return false
	}
}

// msgPackBuffer takes what an encoder writes, and stops it when it nests too deeply: the library itself follows a cycle
// until there is no stack left.
type msgPackBuffer struct {
	bytes   []byte
	scanned int
	nesting nesting
}

func (w *msgPackBuffer) Write(p []byte) (int, error) {
	w.bytes = append(w.bytes, p...)
	return len(p), w.scan()
}

func (w *msgPackBuffer) WriteByte(c byte) error {
	w.bytes = append(w.bytes, c)
	return w.scan()
}

// scan looks at the items that are whole.
func (w *msgPackBuffer) scan() error {
	for w.scanned < len(w.bytes) {
		size, children, ok := msgPackItem(w.bytes[w.scanned:])
		if !ok || size > uint64(len(w.bytes)-w.scanned) { //nolint:gosec // not negative
			return nil
		}
		w.scanned += int(size) //nolint:gosec // at most the buffer's length
		if err := w.nesting.add(children); err != nil {
			return err
		}
	}
	return nil
}

func decodeMsgPack(encoded []byte, out any) error {
	if len(encoded) == 0 {
		encoded = []byte{0xc0} // undefined as nil
	}
	if err := checkMsgPackDepth(encoded); err != nil {
		return err
	}
	if err := checkMsgPackFits(encoded, reflect.TypeOf(out)); err != nil {
		return err
	}
	if target := reflect.ValueOf(out); target.Kind() == reflect.Pointer && !target.IsNil() {
		target.Elem().SetZero() // the library would decode into the values that an any holds already
		if encoded[0] == 0xc0 {
			return nil // nil, which the library refuses for some types, such as time.Time
		}
	}
	reader := bytes.NewReader(encoded)
	decoder := msgpack.NewDecoder(reader)
	decoder.SetCustomStructTag("json")
	decoder.SetMapDecoder(decodeUntypedMap)
	if err := decoder.Decode(out); err != nil {
		return err
	}
	if reader.Len() > 0 {
		return errors.New("more than one value in a payload")
	}
	return nil
}

// decodeUntypedMap decodes a map for which the Go type says nothing but any, as encoding/json does.
func decodeUntypedMap(decoder *msgpack.Decoder) (any, error) {
	n, err := decoder.DecodeMapLen()
	if err != nil || n < 0 {
		return nil, err
	}
	m := make(map[string]any, n) // no more than the payload holds: checkMsgPackDepth has seen them all
	for range n {
		key, err := decoder.DecodeInterface()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("a map has a key of type %T, and an any takes only text: expected a Go type with such keys", key)
		}
		if m[name], err = decoder.DecodeInterface(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

var errShortMsgPack = errors.New("the MessagePack value is not whole")

// checkMsgPackDepth finds values that are nested too deeply before the library recurses into them.
func checkMsgPackDepth(b []byte) error {
	nesting := nesting{open: make([]uint64, 0, 32)}
	for len(b) > 0 {
		size, children, ok := msgPackItem(b)
		if !ok || size > uint64(len(b)) {
			return errShortMsgPack
		}
		b = b[size:]
		if err := nesting.add(children); err != nil {
			return err
		}
	}
	if len(nesting.open) > 0 {
		return errShortMsgPack
	}
	return nil
}

// nesting keeps one counter for each open array or map: the items that are missing, innermost last.
type nesting struct{ open []uint64 }

// add takes notice of the next item, which holds so many others.
func (n *nesting) add(children uint64) error {
	if last := len(n.open) - 1; last >= 0 {
		n.open[last]--
	}
	if children > 0 {
		if len(n.open) == maxDepth {
			return errTooDeep
		}
		n.open = append(n.open, children)
	}
	for len(n.open) > 0 && n.open[len(n.open)-1] == 0 {
		n.open = n.open[:len(n.open)-1]
	}
	return nil
}

// msgPackItem returns the size of the item at the start of b, without the children of an array or map, and their number.
// The forms are those of the MessagePack specification.
func msgPackItem(b []byte) (size, children uint64, ok bool) {
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0: // fixint
		return 1, 0, true
	case c < 0x90: // fixmap
		return 1, 2 * uint64(c&0xf), true
	case c < 0xa0: // fixarray
		return 1, uint64(c & 0xf), true
	case c < 0xc0: // fixstr
		return 1 + uint64(c&0x1f), 0, true
	case c <= 0xc3: // nil, never used, false, true
		return 1, 0, true
	case c <= 0xc6: // bin 8 to 32
		return lengthItem(b, 1<<(c-0xc4), 0)
	case c <= 0xc9: // ext 8 to 32
		return lengthItem(b, 1<<(c-0xc7), 1)
	case c <= 0xcb: // float 32, 64
		return 1 + 4<<(c-0xca), 0, true
	case c <= 0xcf: // uint 8 to 64
		return 1 + 1<<(c-0xcc), 0, true
	case c <= 0xd3: // int 8 to 64
		return 1 + 1<<(c-0xd0), 0, true
	case c <= 0xd8: // fixext 1 to 16
		return 2 + 1<<(c-0xd4), 0, true
	case c <= 0xdb: // str 8 to 32
		return lengthItem(b, 1<<(c-0xd9), 0)
	case c <= 0xdd: // array 16, 32
		return childrenItem(b, 2<<(c-0xdc), 1)
	default: // map 16, 32
		return childrenItem(b, 2<<(c-0xde), 2)
	}
}

func lengthItem(b []byte, width, extra int) (size, children uint64, ok bool) {
	n, ok := bigEndian(b[1:], width)
	return 1 + uint64(width) + uint64(extra) + n, 0, ok //nolint:gosec // small and positive
}

func childrenItem(b []byte, width int, each uint64) (size, children uint64, ok bool) {
	n, ok := bigEndian(b[1:], width)
	return 1 + uint64(width), n * each, ok //nolint:gosec // small and positive
}

func bigEndian(b []byte, width int) (uint64, bool) {
	if len(b) < width {
		return 0, false
	}
	var padded [8]byte
	copy(padded[8-width:], b[:width])
	return binary.BigEndian.Uint64(padded[:]), true
}

// customDecoder is what types implement that decode themselves from MessagePack.
var customDecoder = reflect.TypeFor[msgpack.CustomDecoder]()
