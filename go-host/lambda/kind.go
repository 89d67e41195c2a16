package lambda

import (
	"encoding/json"
	"strings"
)

// kindOf says what a valid JSON text is.
func kindOf(text json.RawMessage) string {
	trimmed := strings.TrimLeft(string(text[:min(len(text), 64)]), " \t\r\n")
	if trimmed == "" {
		return "nothing"
	}
	switch trimmed[0] {
	case '{':
		return "object"
	case '[':
		return "list"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// article names what came, and not its value: results are in no error.
func article(text json.RawMessage) string {
	switch kind := kindOf(text); kind {
	case "nothing", "null":
		return kind
	case "object":
		return "an object"
	default:
		return "a " + kind
	}
}

// textOf decodes a JSON string.
func textOf(text json.RawMessage) string {
	var value string
	_ = json.Unmarshal(text, &value) // it is valid
	return value
}

// clipped is a status as it came, which is no secret if it is short.
func clipped(text json.RawMessage) string {
	if kind := kindOf(text); kind != "number" || len(text) > 16 {
		return article(text)
	}
	return string(text)
}
