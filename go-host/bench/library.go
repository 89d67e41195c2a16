package main

import (
	"encoding/json"

	"github.com/bytedance/sonic"
	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// library is a JSON library.
type library struct {
	Marshal   func(any) ([]byte, error)
	Unmarshal func([]byte, any) error
	isOther   bool // than encoding/json, in encoding
}

var (
	standardJSON = library{json.Marshal, json.Unmarshal, false}
	// v1JSON is Rootbridge's default.
	v1JSON    = library{json.Marshal, unmarshalV1, false}
	sonicJSON = library{sonic.ConfigStd.Marshal, sonic.ConfigStd.Unmarshal, true}
)

// v1 are the options that Rootbridge decodes results with (json_decoder.go).
var v1 = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))

func unmarshalV1(text []byte, out any) error { return jsonv2.Unmarshal(text, out, v1) }

// encode leaves bytes, and JSON that is there already, as they are.
func (l library) encode(in any) ([]byte, error) {
	switch value := in.(type) {
	case []byte:
		return value, nil
	case json.RawMessage:
		return value, nil
	default:
		return l.Marshal(in)
	}
}

// decode takes the bytes over where out is for bytes or JSON.
func (l library) decode(text []byte, out any) error {
	switch target := out.(type) {
	case *[]byte:
		*target = text
		return nil
	case *json.RawMessage:
		*target = text
		return nil
	default:
		return l.Unmarshal(text, out)
	}
}

func isBytes(in any) bool {
	_, ok := in.([]byte)
	return ok
}
