package rootbridge

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// structFields are the fields of a struct as encoding/json sees them, in its order.
type structFields struct {
	list   []structField
	byName map[string]int // indexes in list
}

// structField may be promoted from an embedded struct.
type structField struct {
	name                string
	packed              []byte // the name as MessagePack
	index               []int  // of the field in the struct, for a promoted one behind those of what it is embedded in
	tagged              bool
	omitEmpty, omitZero bool
	quoted              reflect.Type // with the option string a struct that has this field alone, which encoding/json decodes
}

func fieldsOf(t reflect.Type) *structFields {
	fields := structFields{list: visibleFields(t), byName: map[string]int{}}
	for i := range fields.list {
		field := &fields.list[i]
		field.packed = packedText(field.name)
		fields.byName[field.name] = i
	}
	return &fields
}

// embedded is a struct whose fields are promoted, or the outer one itself.
type embedded struct {
	typ   reflect.Type
	index []int
}

// visibleFields goes down level by level, as fields nearer to the surface hide those with the same name below.
func visibleFields(t reflect.Type) []structField {
	var visible []structField
	names, types := map[string]bool{}, map[reflect.Type]bool{}
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var below []embedded
		found := map[string][]structField{}
		for _, outer := range level {
			types[outer.typ] = true
		}
		for _, outer := range level {
			for i := range outer.typ.NumField() {
				index := append(slices.Clone(outer.index), i)
				if inner, field := fieldOrEmbedded(outer.typ.Field(i), index); field != nil {
					found[field.name] = append(found[field.name], *field)
				} else if inner.typ != nil && !types[inner.typ] {
					below = append(below, inner)
				}
			}
		}
		for name, same := range found {
			if field := dominant(same); field != nil && !names[name] {
				visible = append(visible, *field)
			}
			names[name] = true
		}
		level = below
	}
	slices.SortFunc(visible, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	return visible
}

// quotedName is that of the field in structField.quoted.
const quotedName = "V"

// fieldOrEmbedded returns a field, or the struct whose fields are promoted in its place, or neither.
func fieldOrEmbedded(f reflect.StructField, index []int) (embedded, *structField) {
	tag := f.Tag.Get("json")
	inner := f.Type
	if f.Anonymous && inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	isEmbedded := f.Anonymous && inner.Kind() == reflect.Struct
	if tag == "-" || !f.IsExported() && !isEmbedded {
		return embedded{}, nil
	}
	name, options, _ := strings.Cut(tag, ",")
	tagged := isName(name)
	if isEmbedded && !tagged {
		return embedded{typ: inner, index: index}, nil
	}
	if !tagged {
		name = f.Name
	}
	has := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
	field := &structField{name: name, index: index, tagged: tagged, omitEmpty: has("omitempty"), omitZero: has("omitzero")}
	if has("string") && isQuotable(f.Type) {
		field.quoted = reflect.StructOf([]reflect.StructField{{Name: quotedName, Type: f.Type, Tag: `json:",string"`}})
	}
	return embedded{}, field
}

// isName tells whether encoding/json takes a tag's name.
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

func isQuotable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	return t.Kind() == reflect.String || t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64
}

// dominant returns the field that is meant by a name which several on one level have: the one with a tag, if it is the only
// one, or else none.
func dominant(same []structField) *structField {
	if len(same) == 1 {
		return &same[0]
	}
	var dominant *structField
	for i := range same {
		if same[i].tagged && dominant != nil {
			return nil
		}
		if same[i].tagged {
			dominant = &same[i]
		}
	}
	return dominant
}

// find returns the index of the field with a name, or else of one that differs in nothing but case, or -1. It looks first where
// the field is if the value has them in the struct's order, behind the one before.
func (s *structFields) find(name []byte, before int) int {
	if next := before + 1; next < len(s.list) && s.list[next].name == string(name) {
		return next
	}
	if i, ok := s.byName[string(name)]; ok {
		return i
	}
	return slices.IndexFunc(s.list, func(f structField) bool { return bytes.EqualFold([]byte(f.name), name) })
}

// encoded returns the field's value in a struct, or the zero Value where it is left out.
func (f *structField) encoded(v reflect.Value) reflect.Value {
	for depth, i := range f.index {
		if depth > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	if f.omitEmpty && isEmpty(v) || f.omitZero && isZero(v) {
		return reflect.Value{}
	}
	return v
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// isZero asks the value's own IsZero method, where it has one.
func isZero(v reflect.Value) bool {
	if !v.CanInterface() || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() {
		return v.IsZero()
	}
	self := v.Interface()
	if v.Kind() != reflect.Pointer {
		self = addressOf(v)
	}
	if self, ok := self.(interface{ IsZero() bool }); ok {
		return self.IsZero()
	}
	return v.IsZero()
}

// target returns the field in a struct to decode into, and makes the embedded structs on the way to it.
func (f *structField) target(v reflect.Value) (_ reflect.Value, err error) {
	for depth, i := range f.index {
		if depth > 0 && v.Kind() == reflect.Pointer {
			if v, err = pointed(v); err != nil {
				return v, err
			}
		}
		v = v.Field(i)
	}
	return v, nil
}
