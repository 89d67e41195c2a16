package rootbridge

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// checkMsgPackFits finds what the MessagePack library would lose silently, or refuse without saying where: numbers that
// don't fit into their place in a Go type, and keys that are a field's name but for their case, which encoding/json takes. b is one whole value; what else may be wrong in it is left to the library.
func checkMsgPackFits(b []byte, t reflect.Type) error {
	if t == nil {
		return nil
	}
	if _, misfit := fits(b, t); misfit != nil {
		return errors.New("result" + misfit.path + misfit.reason)
	}
	return nil
}

// misfit is found deep inside; its path grows on the way out.
type misfit struct{ path, reason string }

func (m *misfit) in(segment string) *misfit {
	m.path = segment + m.path
	return m
}

// fits checks the value at the start of b and returns what follows it.
func fits(b []byte, t reflect.Type) ([]byte, *misfit) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	size, children, _ := msgPackItem(b)
	isMap := b[0]&0xf0 == 0x80 || b[0] == 0xde || b[0] == 0xdf
	switch kind := t.Kind(); {
	case decodesItself(t):
	case kind >= reflect.Int && kind <= reflect.Uintptr:
		return b[size:], fitsInteger(b[:size], t)
	case kind == reflect.Float32 && b[0] == 0xcb:
		return b[size:], &misfit{reason: fmt.Sprintf(" is %v, which has more digits than %s: use a float64", msgPackFloat(b), t)}
	case children == 0:
	case isMap && kind == reflect.Map:
		return fitsMap(b[size:], children/2, t)
	case isMap && kind == reflect.Struct:
		return fitsStruct(b[size:], children/2, t)
	case !isMap && (kind == reflect.Slice || kind == reflect.Array):
		return fitsList(b[size:], children, t)
	}
	return skipMsgPack(b), nil
}

func fitsInteger(item []byte, t reflect.Type) *misfit {
	signed, unsigned, ok := msgPackInteger(item)
	zero := reflect.Zero(t)
	switch {
	case item[0] == 0xcb:
		return &misfit{reason: fmt.Sprintf(" is %v as a float64, which doesn't fit into %s", msgPackFloat(item), t)}
	case !ok:
		return nil
	case signed < 0 && (zero.CanUint() || zero.OverflowInt(signed)):
		return &misfit{reason: fmt.Sprintf(" is %d, which doesn't fit into %s", signed, t)}
	case zero.CanUint() && zero.OverflowUint(unsigned), zero.CanInt() && overflowsInt(zero, unsigned):
		return &misfit{reason: fmt.Sprintf(" is %d, which doesn't fit into %s", unsigned, t)}
	}
	return nil
}

func overflowsInt(zero reflect.Value, unsigned uint64) bool {
	return unsigned > math.MaxInt64 || zero.OverflowInt(int64(unsigned))
}

// msgPackInteger returns an item's number as signed if it is negative and as unsigned if it is positive.
func msgPackInteger(item []byte) (signed int64, unsigned uint64, ok bool) {
	c := item[0]
	switch {
	case c < 0x80:
		return 0, uint64(c), true
	case c >= 0xe0:
		return int64(int8(c)), 0, true //nolint:gosec // its bits are those of an int8
	case c >= 0xcc && c <= 0xcf:
		unsigned, ok = bigEndian(item[1:], len(item)-1)
		return 0, unsigned, ok
	case c >= 0xd0 && c <= 0xd3:
		bits, ok := bigEndian(item[1:], len(item)-1)
		shift := 64 - 8*(len(item)-1)
		signed = int64(bits<<shift) >> shift //nolint:gosec // extends the sign
		return min(signed, 0), uint64(max(signed, 0)), ok
	}
	return 0, 0, false
}

// msgPackFloat is the number of a float 64.
func msgPackFloat(item []byte) float64 {
	bits, _ := bigEndian(item[1:], 8)
	return math.Float64frombits(bits)
}

func fitsList(b []byte, n uint64, t reflect.Type) (_ []byte, m *misfit) {
	for i := range n {
		if b, m = fits(b, t.Elem()); m != nil {
			return nil, m.in("[" + strconv.FormatUint(i, 10) + "]")
		}
	}
	return b, nil
}

func fitsMap(b []byte, n uint64, t reflect.Type) (_ []byte, m *misfit) {
	for range n {
		key := b
		if b, m = fits(key, t.Key()); m != nil {
			return nil, m.in(" has a key that")
		}
		if b, m = fits(b, t.Elem()); m != nil {
			return nil, m.in("[" + msgPackKey(key) + "]")
		}
	}
	return b, nil
}

func fitsStruct(b []byte, n uint64, t reflect.Type) (_ []byte, m *misfit) {
	types := fieldTypes(t)
	for range n {
		key := msgPackText(b)
		field, ok := types[key]
		b = skipMsgPack(b)
		if !ok {
			if name := likeName(types, key); name != "" {
				return nil, (&misfit{reason: fmt.Sprintf(" is like the field %s of %s: expected the tag `json:%q`", name, t, key)}).in("." + key)
			}
			b = skipMsgPack(b)
			continue
		}
		if b, m = fits(b, field); m != nil {
			return nil, m.in("." + key)
		}
	}
	return b, nil
}

// likeName returns the field's name that differs from a key in nothing but case.
func likeName(types map[string]reflect.Type, key string) string {
	for name := range types {
		if strings.EqualFold(name, key) {
			return name
		}
	}
	return ""
}

// skipMsgPack returns what follows the whole value at the start of b.
func skipMsgPack(b []byte) []byte {
	for left := uint64(1); left > 0; left-- {
		size, children, _ := msgPackItem(b)
		b = b[size:]
		left += children
	}
	return b
}

// msgPackKey is the key at the start of b, as a path shows it.
func msgPackKey(b []byte) string {
	if signed, unsigned, ok := msgPackInteger(b[:itemSize(b)]); ok {
		if signed < 0 {
			return strconv.FormatInt(signed, 10)
		}
		return strconv.FormatUint(unsigned, 10)
	}
	return strconv.Quote(msgPackText(b))
}

// msgPackText is the text at the start of b, "" for another value.
func msgPackText(b []byte) string {
	size := itemSize(b)
	switch c := b[0]; {
	case c >= 0xa0 && c < 0xc0:
		return string(b[1:size])
	case c >= 0xd9 && c <= 0xdb:
		return string(b[1+1<<(c-0xd9) : size])
	}
	return ""
}

func itemSize(b []byte) uint64 {
	size, _, _ := msgPackItem(b)
	return size
}

var (
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	textUnmarshaler   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// decodesItself tells whether the library leaves a type's decoding to the type.
func decodesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(customDecoder) || pointer.Implements(binaryUnmarshaler) || pointer.Implements(textUnmarshaler)
}

var fieldTypesByStruct sync.Map // reflect.Type to map[string]reflect.Type

// fieldTypes returns the types of a struct's fields by the names that they have in a payload.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	if known, ok := fieldTypesByStruct.Load(t); ok {
		return known.(map[string]reflect.Type) //nolint:errcheck,forcetypeassert // nothing else is stored
	}
	types := map[string]reflect.Type{}
	addFieldTypes(t, types, 0)
	fieldTypesByStruct.Store(t, types)
	return types
}

func addFieldTypes(t reflect.Type, types map[string]reflect.Type, level int) {
	for i := range t.NumField() {
		field := t.Field(i)
		name := fieldName(field)
		embedded := field.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		if field.Anonymous && name == "" && embedded.Kind() == reflect.Struct && level < maxEmbedded {
			addFieldTypes(embedded, types, level+1)
		}
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name := fieldName(field)
		if name == "" {
			name = field.Name
		}
		if field.IsExported() && name != "-" && (!field.Anonymous || fieldName(field) != "") {
			types[name] = field.Type
		}
	}
}

// maxEmbedded bounds types that embed themselves.
const maxEmbedded = 8

func fieldName(field reflect.StructField) string {
	tag, ok := field.Tag.Lookup("msgpack")
	if !ok {
		tag = field.Tag.Get("json")
	}
	name, _, _ := strings.Cut(tag, ",")
	return name
}
