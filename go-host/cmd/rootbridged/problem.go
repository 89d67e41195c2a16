package main

import (
	"regexp"
	"strings"
	"unicode"

	"rootbridge"
)

// problem is the error object of the protocol (protocol/README.md, section 7), which is what clients get, too.
type problem struct {
	Code      string         `json:"code,omitempty"` // none for causes
	Message   string         `json:"message"`
	Name      string         `json:"name,omitempty"`
	Stack     string         `json:"stack,omitempty"`
	Cause     *problem       `json:"cause,omitempty"`
	Errors    []*problem     `json:"errors,omitempty"`
	Fields    map[string]any `json:"fields,omitempty"`
	Value     any            `json:"value,omitempty"`
	Truncated bool           `json:"truncated,omitempty"`
}

// problemOf tells everything about an error, stacks included.
func problemOf(err *rootbridge.Error) *problem {
	p := &problem{
		Code: string(err.Code), Message: optionsAsFlags(err.Message), Name: err.Name, Stack: err.Stack,
		Fields: err.Fields, Value: err.Value, Truncated: err.Truncated,
	}
	if err.Cause != nil {
		p.Cause = problemOf(err.Cause)
	}
	for _, each := range err.Errors {
		p.Errors = append(p.Errors, problemOf(each))
	}
	return p
}

// withoutStacks is what clients get unless --stacks is given. Stacks also hide in texts: in a worker's last words, or where
// code made one a part of a message or a property.
func (p *problem) withoutStacks() *problem {
	if p == nil {
		return nil
	}
	cut := *p
	cut.Stack = ""
	cut.Message = withoutFrames(p.Message)
	cut.Cause = p.Cause.withoutStacks()
	cut.Errors = nil
	for _, each := range p.Errors {
		cut.Errors = append(cut.Errors, each.withoutStacks())
	}
	cut.Fields, _ = valueWithoutStacks(p.Fields).(map[string]any)
	cut.Value = valueWithoutStacks(p.Value)
	return &cut
}

// valueWithoutStacks returns a copy of what JSON decodes to.
func valueWithoutStacks(value any) any {
	switch value := value.(type) {
	case string:
		return withoutFrames(value)
	case []any:
		list := make([]any, 0, len(value))
		for _, item := range value {
			list = append(list, valueWithoutStacks(item))
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for key, item := range value {
			if key != "stack" {
				object[key] = valueWithoutStacks(item)
			}
		}
		return object
	default:
		return value
	}
}

// stackFrame is a line of a JavaScript stack: "    at f (file:1:2)".
var stackFrame = regexp.MustCompile(`(?m)(?:^|\n)[ \t]+at .*$`)

func withoutFrames(text string) string { return stackFrame.ReplaceAllString(text, "") }

// option is one with its type before it, or one that another is compared with.
var option = regexp.MustCompile(`Options\.[A-Z]\w*|at (?:most|least) (?:Workers|MaxPayload)\b`)

// optionsAsFlags makes the host's messages speak of what users of this program can set: Options.MaxRSS is --max-rss.
func optionsAsFlags(message string) string {
	message = callOptions.Replace(message)
	return option.ReplaceAllStringFunc(message, func(match string) string {
		before, name := "", strings.TrimPrefix(match, "Options.")
		if at := strings.LastIndexByte(name, ' '); at >= 0 {
			before, name = name[:at+1], name[at+1:]
		}
		return before + "--" + flagName(name)
	})
}

var callOptions = strings.NewReplacer("the argument (rootbridge.Encoded) can't be encoded as", "the body is not valid as", "WithTimeout for one call", timeoutHeader, "WithConvention", "convention")

func flagName(option string) string {
	var name strings.Builder
	letters := []rune(option)
	for i, letter := range letters {
		if i > 0 && unicode.IsUpper(letter) && unicode.IsLower(letters[i-1]) {
			name.WriteByte('-')
		}
		name.WriteRune(unicode.ToLower(letter))
	}
	return name.String()
}
