package rootbridge

import (
	"encoding/json"
	"reflect"
	"testing"

	"rootbridge/internal/vector"
)

// errorCase is a case of protocol/vectors/messages.json, of those whose message is an error.
type errorCase struct {
	ID       string          `json:"id"`
	Comment  string          `json:"comment"`
	Message  string          `json:"message"`
	From     string          `json:"from"`
	Text     string          `json:"text"`
	Hex      string          `json:"hex"`
	Value    json.RawMessage `json:"value"`
	Error    []string        `json:"error"`
	ReadOnly bool            `json:"read_only"`
}

func TestErrorsOfWorkersAreReadAsDescribed(t *testing.T) {
	t.Parallel()
	cases, err := vector.Read[errorCase]("messages.json")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, c := range cases {
		if c.Message == "error" {
			checked++
			t.Run(c.ID, func(t *testing.T) { t.Parallel(); checkError(t, c) })
		}
	}
	if checked == 0 {
		t.Error("no case is an error")
	}
}

func checkError(t *testing.T, c errorCase) {
	t.Helper()
	payload := []byte(c.Text)
	if c.Hex != "" {
		var err error
		if payload, err = vector.Bytes(c.Hex); err != nil {
			t.Fatal(err)
		}
	}
	got := parseError(payload)
	if c.Error != nil {
		if got.Code != CodeProtocolError {
			t.Errorf("read %v, expected a protocol_error", got)
		}
		return
	}
	var want any
	if err := json.Unmarshal(c.Value, &want); err != nil {
		t.Fatal(err)
	}
	if object := objectOf(got); !reflect.DeepEqual(object, want) {
		t.Errorf("read\n%v, expected\n%v", object, want)
	}
}

// objectOf is an error as the protocol writes it.
func objectOf(e *Error) any {
	object := map[string]any{"message": e.Message}
	for key, text := range map[string]string{"code": string(e.Code), "name": e.Name, "stack": e.Stack} {
		if text != "" {
			object[key] = text
		}
	}
	if e.Cause != nil {
		object["cause"] = objectOf(e.Cause)
	}
	for _, each := range e.Errors {
		list, _ := object["errors"].([]any)
		object["errors"] = append(list, objectOf(each))
	}
	if e.Fields != nil {
		object["fields"] = e.Fields
	}
	if e.Value != nil {
		object["value"] = e.Value
	}
	if e.Truncated {
		object["truncated"] = true
	}
	return object
}
