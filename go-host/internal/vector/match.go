package vector

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Mode says how values are compared.
type Mode int

// The modes.
const (
	Exactly Mode = iota
	Partly       // objects may have more keys than expected
)

// Differs says where a value, as encoding/json decodes it into any, differs from an expected one; "" if it does not. In
// place of a value may stand {"$has": [parts of a text, or items of a list]} or {"$is": "text", "number", "list" or
// "object"}.
func Differs(expected, value any, path string, mode Mode) string {
	switch expected := expected.(type) {
	case map[string]any:
		if parts, ok := expected["$has"]; ok {
			return lacks(parts, value, path)
		}
		if name, ok := expected["$is"]; ok {
			return isOther(name, value, path)
		}
		return objectDiffers(expected, value, path, mode)
	case []any:
		return listDiffers(expected, value, path, mode)
	}
	if reflect.DeepEqual(expected, value) {
		return ""
	}
	return fmt.Sprintf("%s is %s, not %s", path, show(value), show(expected))
}

func objectDiffers(expected map[string]any, value any, path string, mode Mode) string {
	object, ok := value.(map[string]any)
	if !ok {
		return fmt.Sprintf("%s is %s, no object", path, show(value))
	}
	for key := range object {
		if _, ok := expected[key]; !ok && mode == Exactly {
			return fmt.Sprintf("%s has the key %s", path, key)
		}
	}
	for key, item := range expected {
		got, ok := object[key]
		if !ok {
			return fmt.Sprintf("%s lacks the key %s: %s", path, key, show(value))
		}
		if difference := Differs(item, got, path+"."+key, mode); difference != "" {
			return difference
		}
	}
	return ""
}

func listDiffers(expected []any, value any, path string, mode Mode) string {
	list, ok := value.([]any)
	if !ok || len(list) != len(expected) {
		return fmt.Sprintf("%s is %s, not a list of %d items", path, show(value), len(expected))
	}
	for i, item := range expected {
		if difference := Differs(item, list[i], fmt.Sprintf("%s[%d]", path, i), mode); difference != "" {
			return difference
		}
	}
	return ""
}

func lacks(parts, value any, path string) string {
	list, ok := parts.([]any)
	if !ok || len(list) == 0 {
		return fmt.Sprintf("%s: $has expects a list, got %s", path, show(parts))
	}
	for _, part := range list {
		if !has(value, part) {
			return fmt.Sprintf("%s lacks %s: %s", path, show(part), show(value))
		}
	}
	return ""
}

func has(value, part any) bool {
	switch value := value.(type) {
	case string:
		text, ok := part.(string)
		return ok && strings.Contains(value, text)
	case []any:
		for _, item := range value {
			if reflect.DeepEqual(item, part) {
				return true
			}
		}
	}
	return false
}

func isOther(name, value any, path string) string {
	var is bool
	switch name {
	case "text":
		_, is = value.(string)
	case "number":
		_, is = value.(float64)
	case "list":
		_, is = value.([]any)
	case "object":
		_, is = value.(map[string]any)
	default:
		return fmt.Sprintf("%s: $is knows no %s", path, show(name))
	}
	if is {
		return ""
	}
	return fmt.Sprintf("%s is %s, no %s", path, show(value), name)
}

func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return fmt.Sprintf("%.400s", text)
}
