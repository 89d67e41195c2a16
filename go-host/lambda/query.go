package lambda

import (
	"net/url"
	"strings"
)

// parseQuery returns the values of each key, in their order, each passed through decode. Unlike url.ParseQuery it drops
// nothing: what can't be decoded stays as it is.
func parseQuery(raw string, decode func(string) string) map[string][]string {
	var values map[string][]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		if values == nil {
			values = map[string][]string{}
		}
		key = decode(key)
		values[key] = append(values[key], decode(value))
	}
	return values
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// asItIs is for load balancers, which leave keys and values escaped (ELB guide).
func asItIs(text string) string { return text }

func joinedQuery(raw string) map[string]string {
	values := parseQuery(raw, unescaped)
	if values == nil {
		return nil
	}
	all := make(map[string]string, len(values))
	for key, list := range values {
		all[key] = strings.Join(list, ",")
	}
	return all
}
