package rootbridge

import (
	"bytes"
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"rootbridge/internal/frame"
)

// encodeMsgPack sees what encoding/json sees in a Go value: the same fields, options and keys. The library is asked for the
// bytes alone, because it has rules of its own for structs. Integers get their smallest form: JavaScript reads a 64-bit form
// as a BigInt.
func encodeMsgPack(in any) (payload, error) {
	e := msgPackEncoders.Get().(*msgPackEncoder) //nolint:errcheck // the pool holds nothing else
	e.reset()
	p := payload{encoding: frame.MsgPack, memory: e}
	if err := e.value(reflect.ValueOf(in), 0); err != nil {
		return p, within("argument", err)
	}
	p.bytes = e.buffer.bytes
	return p, nil
}

type msgPackEncoder struct {
	library *msgpack.Encoder
	buffer  msgPackBuffer
	lent    bool // to a method of a value's, which may keep it
}

var msgPackEncoders = sync.Pool{New: func() any { return &msgPackEncoder{library: msgpack.NewEncoder(nil)} }}

func (e *msgPackEncoder) reset() {
	e.buffer = msgPackBuffer{bytes: e.buffer.bytes[:0]}
	e.library.Reset(&e.buffer)
	e.library.UseCompactInts(true)
	e.library.SetCustomStructTag("json") // for what an EncodeMsgpack method encodes with it
}

func (e *msgPackEncoder) release() {
	if cap(e.buffer.bytes) <= keptEncoder && !e.lent {
		msgPackEncoders.Put(e)
	}
}

// value encodes a value that is within so many lists and objects.
func (e *msgPackEncoder) value(v reflect.Value, depth int) error {
	v, err := pointee(v)
	if err != nil {
		return err
	}
	if !v.IsValid() {
		return e.library.EncodeNil()
	}
	form := formOf(v.Type())
	switch kind := v.Kind(); {
	case form.encodesItself && v.CanInterface():
		return e.self(v, depth)
	case kind == reflect.Struct:
		return e.fields(v, form.fields, depth)
	case kind == reflect.Map:
		return e.entries(v, depth)
	case kind == reflect.Slice || kind == reflect.Array:
		return e.items(v, depth)
	case kind == reflect.String:
		return e.library.EncodeString(v.String())
	case kind == reflect.Bool:
		return e.library.EncodeBool(v.Bool())
	case kind == reflect.Float32:
		return e.library.EncodeFloat32(float32(v.Float()))
	case v.CanFloat():
		return e.library.EncodeFloat64(v.Float())
	case v.CanInt():
		return e.library.EncodeInt(v.Int())
	case v.CanUint():
		return e.library.EncodeUint(v.Uint())
	}
	return misplaced(" is of type %s, which has no form as data", v.Type())
}

// pointee follows pointers and interfaces to a value, which is the zero Value for nil.
func pointee(v reflect.Value) (reflect.Value, error) {
	for hops := 0; v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface; hops++ {
		if hops > maxDepth { // such as x = &x
			return v, errTooDeep
		}
		v = v.Elem()
	}
	return v, nil
}

// self lets a value encode itself. Text comes before bytes, as text is what it is in JSON.
func (e *msgPackEncoder) self(v reflect.Value, depth int) error {
	var encoded []byte
	var err error
	switch self := addressOf(v).(type) {
	case *time.Time:
		return e.library.EncodeTime(*self)
	case msgpack.CustomEncoder, msgpack.Marshaler:
		e.lent = true
		e.buffer.watch(depth)
		err = e.library.Encode(self)
		err = cmp.Or(err, e.buffer.unwatch())
	case encoding.TextMarshaler:
		if encoded, err = self.MarshalText(); err == nil {
			return e.library.EncodeString(string(encoded))
		}
	case encoding.BinaryMarshaler:
		if encoded, err = self.MarshalBinary(); err == nil {
			return e.library.EncodeBytes(encoded)
		}
	}
	return causedBy(err)
}

// addressOf returns a pointer to a value, or to a copy of it: methods may be the pointer's.
func addressOf(v reflect.Value) any {
	if !v.CanAddr() {
		v = copyOf(v)
	}
	return v.Addr().Interface()
}

func copyOf(v reflect.Value) reflect.Value {
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	return copied
}

func (e *msgPackEncoder) fields(v reflect.Value, fields *structFields, depth int) error {
	var room [16]reflect.Value
	present := 0
	values := room[:0]
	for i := range fields.list {
		value := fields.list[i].encoded(v)
		if value.IsValid() {
			present++
		}
		values = append(values, value)
	}
	if err := e.openObject(present, depth); err != nil {
		return err
	}
	for i, value := range values {
		if !value.IsValid() {
			continue
		}
		if err := e.field(&fields.list[i], value, depth+1); err != nil {
			return within("."+fields.list[i].name, err)
		}
	}
	return nil
}

func (e *msgPackEncoder) field(field *structField, value reflect.Value, depth int) error {
	e.buffer.bytes = append(e.buffer.bytes, field.packed...)
	if field.quoted == nil {
		return e.value(value, depth)
	}
	value, err := pointee(value)
	if err != nil || !value.IsValid() || formOf(value.Type()).encodesItself {
		return e.value(value, depth)
	}
	text, err := encodeJSON(value.Interface())
	defer text.release()
	if err != nil {
		return causedBy(err)
	}
	return e.library.EncodeString(string(text.bytes))
}

// packedText encodes text.
func packedText(text string) []byte {
	var b bytes.Buffer
	_ = msgpack.NewEncoder(&b).EncodeString(text) // never fails
	return b.Bytes()
}

func (e *msgPackEncoder) entries(v reflect.Value, depth int) error {
	if v.IsNil() {
		return e.library.EncodeNil()
	}
	if err := e.openObject(v.Len(), depth); err != nil {
		return err
	}
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	for entries := v.MapRange(); entries.Next(); {
		key.SetIterKey(entries)
		value.SetIterValue(entries)
		if err := e.key(key, depth+1); err != nil {
			return err
		}
		if err := e.value(value, depth+1); err != nil {
			return within(keySegment(key), err)
		}
	}
	return nil
}

// key encodes the key of a map: text, or a number or boolean, which JavaScript makes text.
func (e *msgPackEncoder) key(v reflect.Value, depth int) error {
	v, err := pointee(v)
	if err != nil {
		return err
	}
	switch kind := v.Kind(); {
	case kind == reflect.String:
		return e.library.EncodeString(v.String()) // as encoding/json, which doesn't ask its MarshalText either
	case kind == reflect.Bool, v.CanInt(), v.CanUint(), v.CanFloat():
		return e.value(v, depth)
	case v.IsValid() && v.CanInterface():
		if self, ok := addressOf(v).(encoding.TextMarshaler); ok {
			text, err := self.MarshalText()
			if err != nil {
				return causedBy(err)
			}
			return e.library.EncodeString(string(text))
		}
		return misplaced(" has a key of type %s: expected text, a number, or a MarshalText method", v.Type())
	}
	return misplaced(" has a key that is nil")
}

func (e *msgPackEncoder) items(v reflect.Value, depth int) error {
	switch isSlice := v.Kind() == reflect.Slice; {
	case isSlice && v.IsNil():
		return e.library.EncodeNil()
	case !isBytes(v.Type()):
	case isSlice || v.CanAddr():
		return e.library.EncodeBytes(v.Bytes())
	default:
		return e.library.EncodeBytes(copyOf(v).Bytes())
	}
	if err := e.openList(v.Len(), depth); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := e.value(v.Index(i), depth+1); err != nil {
			return within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (e *msgPackEncoder) openObject(entries, depth int) error {
	if err := checkDepth(entries, depth); err != nil {
		return err
	}
	return e.library.EncodeMapLen(entries)
}

func (e *msgPackEncoder) openList(items, depth int) error {
	if err := checkDepth(items, depth); err != nil {
		return err
	}
	return e.library.EncodeArrayLen(items)
}

// checkDepth tells whether so many values may be within as many lists and objects as these are in themselves. It ends a cycle.
func checkDepth(values, depth int) error {
	if values > 0 && depth >= maxDepth {
		return errTooDeep
	}
	return nil
}

// msgPackBuffer takes what an encoder writes.
type msgPackBuffer struct {
	bytes   []byte
	scanned int      // while it is watched
	nesting *nesting // nil while it is not
	err     error    // of what was written while it was watched
}

// watch looks at what a value writes itself within so many lists and objects: exactly one value, and not nested too deeply, as
// it does with a cycle.
func (w *msgPackBuffer) watch(depth int) {
	w.scanned, w.nesting = len(w.bytes), &nesting{open: []uint64{1}, limit: maxDepth - depth + 1}
}

// unwatch returns what was wrong, whatever has become of the error in the meantime.
func (w *msgPackBuffer) unwatch() error {
	missing := len(w.nesting.open) > 0 || w.scanned < len(w.bytes)
	w.nesting = nil
	if w.err == nil && missing {
		return errShortMsgPack
	}
	return w.err
}

func (w *msgPackBuffer) Write(p []byte) (int, error) {
	w.bytes = append(w.bytes, p...)
	return len(p), w.scan()
}

func (w *msgPackBuffer) WriteByte(c byte) error {
	w.bytes = append(w.bytes, c)
	return w.scan()
}

func (w *msgPackBuffer) scan() error {
	if w.nesting != nil && w.err == nil {
		w.err = w.scanWhole()
	}
	return w.err
}

// scanWhole looks at the items that are whole.
func (w *msgPackBuffer) scanWhole() error {
	for w.scanned < len(w.bytes) {
		header, body, children, ok := msgPackItem(w.bytes[w.scanned:])
		if !ok || header+body > uint64(len(w.bytes)-w.scanned) { //nolint:gosec // not negative
			return nil
		}
		w.scanned += int(header + body) //nolint:gosec // at most the buffer's length
		if len(w.nesting.open) == 0 {
			return errManyMsgPack
		}
		if err := w.nesting.add(children); err != nil {
			return err
		}
	}
	return nil
}

// decodeSelf lets a value decode itself whose type has a method of the library for that. It tells whether that is so.
func decodeSelf(encoded []byte, self any) (decoded bool, err error) {
	switch self.(type) {
	case msgpack.CustomDecoder, msgpack.Unmarshaler:
		decoder := msgpack.NewDecoder(bytes.NewReader(encoded))
		decoder.SetCustomStructTag("json")
		return true, decoder.Decode(self)
	}
	return false, nil
}

// decodeTime decodes a timestamp. A Date has no time zone.
func decodeTime(encoded []byte) (time.Time, error) {
	t, err := msgpack.NewDecoder(bytes.NewReader(encoded)).DecodeTime()
	return t.UTC(), err
}

var (
	textMarshaler     = reflect.TypeFor[encoding.TextMarshaler]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	textUnmarshaler   = reflect.TypeFor[encoding.TextUnmarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()

	selfEncoders = []reflect.Type{reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.Marshaler](), textMarshaler, binaryMarshaler}
	selfDecoders = []reflect.Type{reflect.TypeFor[msgpack.CustomDecoder](), reflect.TypeFor[msgpack.Unmarshaler](), textUnmarshaler, binaryUnmarshaler}
)

// msgPackForm is what has to be known of a type.
type msgPackForm struct {
	encodesItself, decodesItself bool
	fields                       *structFields // nil if it is no struct
}

// plainForm is that of types without a name, or of the language: they have no methods.
var plainForm msgPackForm

// plainTypes are the language's own, by kind, which most values are of.
var plainTypes = [...]reflect.Type{
	reflect.Bool: reflect.TypeFor[bool](), reflect.String: reflect.TypeFor[string](),
	reflect.Int: reflect.TypeFor[int](), reflect.Int8: reflect.TypeFor[int8](), reflect.Int16: reflect.TypeFor[int16](),
	reflect.Int32: reflect.TypeFor[int32](), reflect.Int64: reflect.TypeFor[int64](),
	reflect.Uint: reflect.TypeFor[uint](), reflect.Uint8: reflect.TypeFor[uint8](), reflect.Uint16: reflect.TypeFor[uint16](),
	reflect.Uint32: reflect.TypeFor[uint32](), reflect.Uint64: reflect.TypeFor[uint64](),
	reflect.Float32: reflect.TypeFor[float32](), reflect.Float64: reflect.TypeFor[float64](),
	reflect.UnsafePointer: nil,
}

var msgPackForms sync.Map // reflect.Type to *msgPackForm

func formOf(t reflect.Type) *msgPackForm {
	if t == plainTypes[t.Kind()] {
		return &plainForm
	}
	if known, ok := msgPackForms.Load(t); ok {
		return known.(*msgPackForm) //nolint:errcheck,forcetypeassert // nothing else is stored
	}
	form := newForm(t)
	msgPackForms.Store(t, form)
	return form
}

func newForm(t reflect.Type) *msgPackForm {
	if t.PkgPath() == "" && t.Kind() != reflect.Struct {
		return &plainForm
	}
	implements := reflect.PointerTo(t).Implements
	form := &msgPackForm{
		encodesItself: slices.ContainsFunc(selfEncoders, implements),
		decodesItself: slices.ContainsFunc(selfDecoders, implements),
	}
	if t.Kind() == reflect.Struct {
		form.fields = fieldsOf(t)
	}
	return form
}

// isBytes tells whether a slice or array is one of bytes, as encoding/json sees it.
func isBytes(t reflect.Type) bool {
	element := t.Elem()
	return element.Kind() == reflect.Uint8 && !formOf(element).encodesItself && !formOf(element).decodesItself
}
