package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
)

// config is the file of --config: a map in YAML from names of flags to values, or to lists for flags that may be repeated.
type config struct {
	path   string
	values map[string]yaml.Node
}

// readConfig returns an empty one for no path. Its keys must be known.
func readConfig(path string, known names) (config, error) {
	c := config{path: path}
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	documents := yaml.NewDecoder(bytes.NewReader(text))
	if err := documents.Decode(&c.values); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("%s: expected a YAML map of flags: %w", path, err)
	}
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("%s: expected one YAML document, got more", path)
	}
	return c, c.check(known)
}

// value is a text, a list of texts, or nil. A number is the text that stands in the file.
func (c config) value(key string) (any, error) {
	node, ok := c.values[key]
	if !ok {
		return nil, nil //nolint:nilnil // there is none
	}
	switch {
	case node.Tag == "!!null":
		return nil, fmt.Errorf("%s:%d: %s: expected a value, got none; to do without, leave it out", c.path, node.Line, key)
	case node.Kind == yaml.ScalarNode:
		return node.Value, nil
	case node.Kind == yaml.SequenceNode:
		return c.list(key, node.Content)
	default:
		return nil, fmt.Errorf("%s:%d: %s: expected a value or a list, got something else", c.path, node.Line, key)
	}
}

func (c config) list(key string, items []*yaml.Node) (any, error) {
	list := make([]any, 0, len(items))
	for _, item := range items {
		if item.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s:%d: %s: expected a list of texts", c.path, item.Line, key)
		}
		list = append(list, item.Value)
	}
	return list, nil
}

// check finds keys that are not known.
func (c config) check(known names) error {
	var unknown []error
	for key := range c.values {
		if !slices.Contains(known, key) {
			unknown = append(unknown, fmt.Errorf("%s:%d: unknown key %q; keys are the names of the command's flags, such as call-timeout", c.path, c.values[key].Line, key))
		}
	}
	return errors.Join(unknown...)
}
