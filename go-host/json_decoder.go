package rootbridge

import (
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// unmarshalJSON stores in out what encoding/json does, with its errors, in about half of the time: by what encoding/json is
// itself from Go 1.27 on. With earlier ones the types that it might take otherwise are left to encoding/json.
func unmarshalJSON(text []byte, out any) error {
	if !isFastFor(out) {
		return json.Unmarshal(text, out)
	}
	if jsonv2.Unmarshal(text, out, fast) == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// fast is encoding/json's behavior but for errors, which nobody sees: without its first look at the whole text. What is in out
// beside an error may be another part of the text.
var fast = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))

// isFastFor tells whether both decoders do the same with what out points to.
func isFastFor(out any) bool {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return false
	}
	known, ok := jsonTargets.Load(v.Type())
	if !ok {
		t := v.Type().Elem()
		known, _ = jsonTargets.LoadOrStore(v.Type(), jsonTarget{isDecodedAlike(t, map[reflect.Type]bool{}), holderOf(t)})
	}
	target := known.(jsonTarget) //nolint:errcheck // the map holds nothing else
	return target.isAlike && (target.holds == nil || !target.holds(v.Elem()))
}

// jsonTarget is what is known of a type that results are decoded into.
type jsonTarget struct {
	isAlike bool   // both decoders do the same with it, but for what interfaces hold
	holds   holder // nil if there are none
}

// jsonTargets are those that results were decoded into before, by the reflect.Type of a pointer to them.
var jsonTargets sync.Map

// isDecodedAlike looks at a type and all that it is made of, which leaves out what interfaces hold. seen are those on the way.
func isDecodedAlike(t reflect.Type, seen map[reflect.Type]bool) bool {
	switch {
	case seen[t]:
		return true
	case t == reflect.TypeFor[json.Number](), implements(t, reflect.TypeFor[jsonv2.UnmarshalerFrom]()):
		return false
	case implements(t, reflect.TypeFor[json.Unmarshaler]()), implements(t, reflect.TypeFor[encoding.TextUnmarshaler]()):
		return true // both hand the text over
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return isDecodedAlike(t.Elem(), seen)
	case reflect.Map:
		return isKeyDecodedAlike(t.Key(), seen) && isDecodedAlike(t.Elem(), seen)
	case reflect.Struct:
		return !isRefused(t) && areDecodedAlike(t, seen)
	case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return false // encoding/json takes null
	default:
		return true
	}
}

// isKeyDecodedAlike leaves out keys that encoding/json refuses.
func isKeyDecodedAlike(t reflect.Type, seen map[reflect.Type]bool) bool {
	switch k := t.Kind(); {
	case k == reflect.String, k >= reflect.Int && k <= reflect.Uintptr, implements(t, reflect.TypeFor[encoding.TextUnmarshaler]()):
		return isDecodedAlike(t, seen)
	default:
		return false
	}
}

func implements(t, i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }

func areDecodedAlike(fieldsOf reflect.Type, seen map[reflect.Type]bool) bool {
	for i := range fieldsOf.NumField() {
		field := fieldsOf.Field(i)
		if !isPlainTag(field) || isDecoded(field) && !isDecodedAlike(field.Type, seen) {
			return false
		}
	}
	return true
}

// isRefused tells structs that encoding/json alone takes, as they are or because of names that differ in nothing but case. What
// it has to decode after the other has tried is given twice to the types' own methods.
func isRefused(t reflect.Type) bool {
	fields := visibleFields(t)
	for i, field := range fields {
		if slices.ContainsFunc(fields[:i], func(other structField) bool { return strings.EqualFold(other.name, field.name) }) {
			return true
		}
	}
	return jsonv2.Unmarshal([]byte("{}"), reflect.New(t).Interface(), fast) != nil
}

func isDecoded(field reflect.StructField) bool {
	return (field.IsExported() || field.Anonymous) && field.Tag.Get("json") != "-"
}

// isPlainTag leaves out names and options that mean something else to one of the decoders.
func isPlainTag(field reflect.StructField) bool {
	tag, ok := field.Tag.Lookup("json")
	name, options, _ := strings.Cut(tag, ",")
	if !ok || tag == "-" {
		return true
	}
	return plainName.MatchString(name) && (options == "" || options == "omitempty" || options == "omitzero")
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]*$`)
