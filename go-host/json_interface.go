package rootbridge

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// holder tells whether an interface in a value holds a pointer. Decoders go on into what that points to, of which the value's type
// says nothing. Where a pointer or a slice leads to interfaces it says yes without a look at them: they may be in a ring, and what
// is there need not be the caller's alone.
type holder func(v reflect.Value) bool

// holderOf returns nil for a type whose values lead to no interfaces.
func holderOf(t reflect.Type) holder {
	switch kind := t.Kind(); {
	case !leadsToInterface(t, map[reflect.Type]bool{}):
		return nil
	case kind == reflect.Interface:
		return holdsPointer
	case kind == reflect.Pointer:
		return func(v reflect.Value) bool { return !v.IsNil() }
	case kind == reflect.Slice:
		return func(v reflect.Value) bool { return v.Cap() > 0 } // what is behind its end counts as well
	case kind == reflect.Array:
		return arrayHolder(holderOf(t.Elem()))
	default:
		return structHolder(t)
	}
}

func holdsPointer(v reflect.Value) bool { return !v.IsNil() && v.Elem().Kind() == reflect.Pointer }

func arrayHolder(item holder) holder {
	return func(v reflect.Value) bool {
		for i := range v.Len() {
			if item(v.Index(i)) {
				return true
			}
		}
		return false
	}
}

func structHolder(t reflect.Type) holder {
	var indexes []int
	var holders []holder
	for i := range t.NumField() {
		if h := holderOf(t.Field(i).Type); h != nil && isDecoded(t.Field(i)) {
			indexes, holders = append(indexes, i), append(holders, h)
		}
	}
	return func(v reflect.Value) bool {
		for i, h := range holders {
			if h(v.Field(indexes[i])) {
				return true
			}
		}
		return false
	}
}

// leadsToInterface looks at a type and all that decoders go on into. That leaves out maps, whose values they make anew. seen are
// the types on the way.
func leadsToInterface(t reflect.Type, seen map[reflect.Type]bool) bool {
	switch {
	case t.Kind() == reflect.Interface:
		return true
	case seen[t], implements(t, reflect.TypeFor[json.Unmarshaler]()), implements(t, reflect.TypeFor[encoding.TextUnmarshaler]()):
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return leadsToInterface(t.Elem(), seen)
	case reflect.Struct:
		return doFieldsLead(t, seen)
	default:
		return false
	}
}

func doFieldsLead(of reflect.Type, seen map[reflect.Type]bool) bool {
	for i := range of.NumField() {
		if field := of.Field(i); isDecoded(field) && leadsToInterface(field.Type, seen) {
			return true
		}
	}
	return false
}
