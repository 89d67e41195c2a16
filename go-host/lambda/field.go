package lambda

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// parseHeader merges headers, multiValueHeaders and cookies of a result, as REST APIs do with the first two: a value that is
// in both is there once. Names that differ only in case are one header. null is no value.
func parseHeader(fields map[string]json.RawMessage) (http.Header, error) {
	header := http.Header{}
	if err := addMultiValue(header, fields["multiValueHeaders"]); err != nil {
		return nil, err
	}
	if err := addSingle(header, fields["headers"]); err != nil {
		return nil, err
	}
	if err := addCookies(header, fields["cookies"]); err != nil {
		return nil, err
	}
	dropHopByHop(header)
	if types := header["Content-Type"]; len(types) > 1 { // a body is of one type
		header["Content-Type"] = types[len(types)-1:]
	}
	return header, nil
}

func addMultiValue(header http.Header, text json.RawMessage) error {
	lists, err := object("multiValueHeaders", text)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		values, err := list("a value of multiValueHeaders", lists[name])
		if err != nil {
			return err
		}
		for _, value := range values {
			if err := addField(header, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func addSingle(header http.Header, text json.RawMessage) error {
	single, err := object("headers", text)
	if err != nil {
		return err
	}
	multiple := header.Clone()
	for _, name := range slices.Sorted(maps.Keys(single)) {
		value, _ := scalar(single[name])
		if slices.Contains(multiple[http.CanonicalHeaderKey(name)], value) {
			continue
		}
		if err := addField(header, name, single[name]); err != nil {
			return err
		}
	}
	return nil
}

func addCookies(header http.Header, text json.RawMessage) error {
	cookies, err := list("cookies", text)
	if err != nil {
		return err
	}
	for _, cookie := range cookies {
		if err := addField(header, "Set-Cookie", cookie); err != nil {
			return err
		}
	}
	return nil
}

// addField refuses what would end its line, and so be another header or a body.
func addField(header http.Header, name string, text json.RawMessage) error {
	if kindOf(text) == "null" {
		return nil
	}
	value, isScalar := scalar(text)
	switch {
	case !isName(name):
		return unsound("expected the name of a header, got %d bytes that can't be one", len(name))
	case !isScalar:
		return unsound("expected the header %s to be a string, got %s", name, article(text))
	case !isValue(value):
		return unsound("expected the header %s to have no control characters", name)
	}
	header.Add(name, value)
	return nil
}

// isName tells a token (RFC 9110, section 5.6.2).
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) })
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// isValue tells the value of a header (RFC 9110, section 5.5): no CR, LF or NUL, nor any other control character but tabs.
func isValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// object reads an object, or nothing or null as an empty one.
func object(what string, text json.RawMessage) (map[string]json.RawMessage, error) {
	var values map[string]json.RawMessage
	if len(text) > 0 && json.Unmarshal(text, &values) != nil {
		return nil, unsound("expected %s to be an object, got %s", what, article(text))
	}
	return values, nil
}

// list reads a list, or nothing or null as an empty one.
func list(what string, text json.RawMessage) ([]json.RawMessage, error) {
	var values []json.RawMessage
	if len(text) > 0 && json.Unmarshal(text, &values) != nil {
		return nil, unsound("expected %s to be a list, got %s", what, article(text))
	}
	return values, nil
}

// scalar reads a text; numbers, true and false are what String() makes of them.
func scalar(text json.RawMessage) (value string, isScalar bool) {
	switch kindOf(text) {
	case "string":
		return textOf(text), true
	case "number", "boolean":
		return string(text), true
	}
	return "", false
}
