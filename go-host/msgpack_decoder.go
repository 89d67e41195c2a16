package rootbridge

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// decodeMsgPack stores a value as encoding/json does: fields and keys that the value doesn't have stay as they are, and
// nothing is cut to fit.
func decodeMsgPack(encoded []byte, out any) error {
	target := reflect.ValueOf(out)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errNoPointer(out)
	}
	if len(encoded) == 0 { // undefined
		target.Elem().SetZero()
		return nil
	}
	if err := checkMsgPack(encoded); err != nil {
		return err
	}
	if kindOf(encoded) == itemNothing {
		target.Elem().SetZero()
		return nil
	}
	decoder := msgPackDecoder{rest: encoded}
	return within("result", decoder.value(target.Elem()))
}

// msgPackDecoder reads values from what checkMsgPack has found to be whole. It keeps none of the bytes.
type msgPackDecoder struct {
	rest []byte
	seen [64]string // short texts, by a hash: many come again and again, such as the names of states
}

// longestSeen is the longest text that is looked for among those before, in bytes.
const longestSeen = 16

// text makes a string, the same one for what has just come before.
func (d *msgPackDecoder) text(body []byte) string {
	if len(body) == 0 || len(body) > longestSeen {
		return string(body)
	}
	hash := uint(len(body)) + 7*uint(body[0]) + 31*uint(body[len(body)-1])
	seen := &d.seen[hash%uint(len(d.seen))]
	if *seen != string(body) {
		*seen = string(body)
	}
	return *seen
}

func (d *msgPackDecoder) value(v reflect.Value) error {
	if kindOf(d.rest) == itemNothing {
		d.next()
		setNil(v)
		return nil
	}
	v, err := settable(v)
	if err != nil {
		return err
	}
	switch t := v.Type(); {
	case t == timeType && kindOf(d.rest) == itemExtension:
		t, err := d.time()
		v.Set(reflect.ValueOf(t))
		return err
	case formOf(t).decodesItself && v.CanInterface():
		return d.self(v)
	case v.Kind() == reflect.Interface:
		return d.intoInterface(v)
	}
	kind := kindOf(d.rest)
	item, body, children := d.next()
	switch {
	case kind == itemMap && v.Kind() == reflect.Map:
		return d.entries(v, children/2)
	case kind == itemMap && v.Kind() == reflect.Struct:
		return d.fields(v, children/2)
	case kind == itemList && (v.Kind() == reflect.Slice || v.Kind() == reflect.Array):
		return d.items(v, children)
	case kind == itemInteger && (v.CanInt() || v.CanUint() || v.CanFloat()):
		return setInteger(v, item)
	case kind == itemFloat && (v.CanInt() || v.CanUint() || v.CanFloat()):
		return setFloat(v, msgPackFloat(item))
	case kind == itemText && v.Kind() == reflect.String:
		v.SetString(d.text(body))
	case kind == itemBool && v.Kind() == reflect.Bool:
		v.SetBool(item[0] == 0xc3)
	case (kind == itemBytes || kind == itemText) && v.Kind() == reflect.Slice && isBytes(v.Type()):
		v.SetBytes(bytes.Clone(body))
	case kind == itemBytes && v.Kind() == reflect.Array && isBytes(v.Type()):
		return setByteArray(v, body)
	default:
		return misplaced(" is %s, which doesn't go into %s", kind, v.Type())
	}
	return nil
}

// next returns the item at the start, and goes to what follows it, which are its children if it has some.
func (d *msgPackDecoder) next() (item, body []byte, children int) {
	header, size, n, _ := msgPackItem(d.rest)
	item = d.rest[:header+size]
	d.rest = d.rest[header+size:]
	return item, item[header:], int(n) //nolint:gosec // no more than there are bytes
}

// whole returns the bytes of the whole value at the start, and goes to what follows it.
func (d *msgPackDecoder) whole() []byte {
	start := d.rest
	for left := 1; left > 0; left-- {
		_, _, children := d.next()
		left += children
	}
	return start[:len(start)-len(d.rest)]
}

// setNil stores null, which has no effect on what can't be nil.
func setNil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Map, reflect.Slice:
		if v.CanSet() {
			v.SetZero()
		}
	default:
	}
}

// settable follows pointers, those that an any holds as well, and makes those that are nil.
func settable(v reflect.Value) (_ reflect.Value, err error) {
	for hops := 0; err == nil && hops < maxDepth; hops++ {
		switch {
		case v.Kind() == reflect.Interface && v.Elem().Kind() == reflect.Pointer && !v.Elem().IsNil():
			v = v.Elem()
		case v.Kind() == reflect.Pointer:
			v, err = pointed(v)
		default:
			return v, nil
		}
	}
	return v, cmp.Or(err, errTooDeep) // too deep are x = &x and type P *P
}

// pointed returns what a pointer leads to, and makes it if there is nothing.
func pointed(v reflect.Value) (reflect.Value, error) {
	if v.IsNil() && !v.CanSet() {
		return v, misplaced(" goes into %[1]s, which is unexported and embedded as a nil pointer: export it, or embed it without the pointer", v.Type().Elem())
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem(), nil
}

var timeType = reflect.TypeFor[time.Time]()

// time reads the one extension that MessagePack has itself.
func (d *msgPackDecoder) time() (time.Time, error) {
	item, body, _ := d.next()
	if id := int8(item[len(item)-len(body)-1]); id != -1 { //nolint:gosec // its bits are those of an int8
		return time.Time{}, misplaced(" is an extension of type %d: expected a timestamp, whose type is -1", id)
	}
	t, err := decodeTime(item)
	return t, causedBy(err)
}

// self lets a value decode itself.
func (d *msgPackDecoder) self(v reflect.Value) error {
	kind := kindOf(d.rest)
	encoded := d.whole()
	self := v.Addr().Interface()
	if decoded, err := decodeSelf(encoded, self); decoded {
		return causedBy(err)
	}
	header, _, _, _ := msgPackItem(encoded)
	body := bytes.Clone(encoded[header:])
	if self, ok := self.(encoding.TextUnmarshaler); ok && kind == itemText {
		return causedBy(self.UnmarshalText(body))
	}
	if self, ok := self.(encoding.BinaryUnmarshaler); ok && kind == itemBytes {
		return causedBy(self.UnmarshalBinary(body))
	}
	return misplaced(" is %s, which doesn't go into %s", kind, v.Type())
}

func (d *msgPackDecoder) intoInterface(v reflect.Value) error {
	if v.NumMethod() > 0 {
		return misplaced(" is %s, which doesn't go into %s", kindOf(d.rest), v.Type())
	}
	value, err := d.untyped()
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(value))
	return nil
}

// untyped decodes for an any.
func (d *msgPackDecoder) untyped() (any, error) {
	switch kind := kindOf(d.rest); kind {
	case itemList:
		return d.untypedList()
	case itemMap:
		return d.untypedMap()
	case itemExtension:
		return d.time()
	default:
		item, body, _ := d.next()
		return untypedItem(kind, item, body)
	}
}

func (d *msgPackDecoder) untypedList() (_ any, err error) {
	_, _, n := d.next()
	list := make([]any, n)
	for i := range list {
		if list[i], err = d.untyped(); err != nil {
			return nil, within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return list, nil
}

func (d *msgPackDecoder) untypedMap() (_ any, err error) {
	_, _, n := d.next()
	m := make(map[string]any, n/2)
	for range n / 2 {
		if kind := kindOf(d.rest); kind != itemText {
			return nil, misplaced(" has a key that is %s, and an any takes only text: expected a Go type with such keys", kind)
		}
		_, name, _ := d.next()
		if m[d.text(name)], err = d.untyped(); err != nil {
			return nil, within(fmt.Sprintf("[%q]", name), err)
		}
	}
	return m, nil
}

func untypedItem(kind itemKind, item, body []byte) (any, error) {
	switch kind {
	case itemNothing:
		return nil, nil //nolint:nilnil // null
	case itemBool:
		return item[0] == 0xc3, nil
	case itemFloat:
		return msgPackFloat(item), nil
	case itemText:
		return string(body), nil
	case itemBytes:
		return bytes.Clone(body), nil
	case itemInteger:
		signed, unsigned := msgPackInteger(item)
		if unsigned > math.MaxInt64 {
			return unsigned, nil
		}
		return signed + int64(unsigned), nil // one of them is 0
	default:
		return nil, misplaced(" is %s", kind)
	}
}

func (d *msgPackDecoder) entries(v reflect.Value, n int) error {
	t := v.Type()
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(t, n))
	}
	key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	for range n {
		key.SetZero()
		value.SetZero()
		if err := d.key(key); err != nil {
			return within(" has a key that", err)
		}
		if err := d.value(value); err != nil {
			return within(keySegment(key), err)
		}
		v.SetMapIndex(key, value)
	}
	return nil
}

// key decodes the key of a map. Numbers may be text, as an object's keys are.
func (d *msgPackDecoder) key(key reflect.Value) error {
	switch kind := kindOf(d.rest); {
	case kind == itemNothing && key.Kind() != reflect.Interface:
		return misplaced(" is null, which doesn't go into %s", key.Type())
	case kind == itemText && (key.CanInt() || key.CanUint()) && !formOf(key.Type()).decodesItself:
		_, body, _ := d.next()
		return setNumeral(key, string(body))
	}
	if err := d.value(key); err != nil {
		return err
	}
	if !key.Comparable() {
		return misplaced(" is of type %T, which Go's maps don't take", key.Interface())
	}
	return nil
}

// setNumeral reads an integer from text.
func setNumeral(v reflect.Value, text string) error {
	bits := v.Type().Bits()
	if v.CanInt() {
		if n, err := strconv.ParseInt(text, 10, bits); err == nil {
			v.SetInt(n)
			return nil
		}
	} else if n, err := strconv.ParseUint(text, 10, bits); err == nil {
		v.SetUint(n)
		return nil
	}
	return misplaced(" is text that doesn't fit into %s", v.Type())
}

func (d *msgPackDecoder) fields(v reflect.Value, n int) error {
	fields := formOf(v.Type()).fields
	at := -1
	for range n {
		found := fields.find(textOf(d.whole()), at)
		if found < 0 {
			d.whole()
			continue
		}
		at = found
		field := &fields.list[at]
		if err := d.field(v, field); err != nil {
			return within("."+field.name, err)
		}
	}
	return nil
}

// textOf returns the content of text.
func textOf(item []byte) []byte {
	if kindOf(item) != itemText {
		return nil
	}
	header, _, _, _ := msgPackItem(item)
	return item[header:]
}

func (d *msgPackDecoder) field(v reflect.Value, field *structField) error {
	target, err := field.target(v)
	if err != nil {
		return err
	}
	if field.quoted == nil || kindOf(d.rest) == itemNothing || formOf(target.Type()).decodesItself {
		return d.value(target)
	}
	if kind := kindOf(d.rest); kind != itemText {
		return misplaced(" is %s: expected text, as the tag has the option string", kind)
	}
	_, body, _ := d.next()
	return causedBy(field.unquote(target, body))
}

// unquote has encoding/json decode what text stands for, as it alone knows what that may be: numbers such as 007 among it.
func (f *structField) unquote(target reflect.Value, text []byte) error {
	holder := reflect.New(f.quoted)
	value := holder.Elem().Field(0)
	value.Set(target)
	encoded, err := json.Marshal(map[string]string{quotedName: string(text)})
	if err != nil {
		return err
	}
	err = json.Unmarshal(encoded, holder.Interface())
	target.Set(value)
	var e *json.UnmarshalTypeError
	if errors.As(err, &e) {
		e.Struct, e.Field = "", "" // those of holder
	}
	return err
}

func (d *msgPackDecoder) items(v reflect.Value, n int) error {
	list := v
	switch {
	case v.Kind() == reflect.Slice:
		list = reflect.MakeSlice(v.Type(), n, n)
		v.Set(list)
	case n > v.Len():
		return misplaced(" is a list of %d items, which don't fit into %s", n, v.Type())
	default:
		v.SetZero()
	}
	for i := range n {
		if err := d.value(list.Index(i)); err != nil {
			return within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func setByteArray(v reflect.Value, body []byte) error {
	if len(body) > v.Len() {
		return misplaced(" is %d bytes, which don't fit into %s", len(body), v.Type())
	}
	v.SetZero()
	copy(v.Bytes(), body)
	return nil
}

func setInteger(v reflect.Value, item []byte) error {
	switch signed, unsigned := msgPackInteger(item); {
	case v.CanFloat():
		v.SetFloat(float64(signed) + float64(unsigned)) // one of them is 0
	case v.CanUint() && signed == 0 && !v.OverflowUint(unsigned):
		v.SetUint(unsigned)
	case v.CanInt() && unsigned <= math.MaxInt64 && !v.OverflowInt(signed+int64(unsigned)):
		v.SetInt(signed + int64(unsigned))
	case signed < 0:
		return misplaced(" is %d, which doesn't fit into %s", signed, v.Type())
	default:
		return misplaced(" is %d, which doesn't fit into %s", unsigned, v.Type())
	}
	return nil
}

func setFloat(v reflect.Value, f float64) error {
	if !v.CanFloat() || v.OverflowFloat(f) {
		return misplaced(" is %v as a float64, which doesn't fit into %s", f, v.Type())
	}
	v.SetFloat(f)
	return nil
}
