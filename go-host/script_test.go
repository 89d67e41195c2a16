package rootbridge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"

	"rootbridge/internal/frame"
	"rootbridge/internal/vector"
)

var kindNames = []string{
	"", "hello", "ready", "call", "reply", "error", "cancel", "chunk", "credit", "log", "ping", "pong", "goaway", "stats",
}

func describeFrame(f frame.Frame) string {
	return fmt.Sprintf("kind %d id %d (%s) meta %s payload %.400q", f.Kind, f.ID, f.Encoding, f.Meta, f.Payload)
}

// framePattern is a frame that a script expects.
type framePattern struct {
	Kind     string          `json:"kind"`
	ID       *uint32         `json:"id"`
	Encoding string          `json:"encoding"`
	Meta     map[string]any  `json:"meta"`
	Value    json.RawMessage `json:"value"`
	Part     any             `json:"part"`
	Text     any             `json:"text"`
	Hex      *string         `json:"hex"`
	Size     *int            `json:"size"`
	MaxSize  *int            `json:"max_size"`

	text string // for messages
}

// differs says in what a frame differs from the pattern.
func (p *framePattern) differs(f frame.Frame) string {
	if int(f.Kind) >= len(kindNames) || kindNames[f.Kind] != p.Kind {
		return fmt.Sprintf("kind %d", f.Kind)
	}
	if p.ID != nil && f.ID != *p.ID {
		return fmt.Sprintf("id %d", f.ID)
	}
	if p.Encoding != "" && f.Encoding.String() != p.Encoding {
		return "encoding " + f.Encoding.String()
	}
	if p.Meta != nil {
		var meta any = map[string]any{}
		if err := json.Unmarshal(f.Meta, &meta); err != nil && len(f.Meta) > 0 {
			return err.Error()
		}
		if difference := vector.Differs(p.Meta, meta, "meta", vector.Partly); difference != "" {
			return difference
		}
	}
	return p.payloadDiffers(f)
}

func (p *framePattern) payloadDiffers(f frame.Frame) string {
	if p.Hex != nil {
		if want, err := vector.Bytes(*p.Hex); err != nil || !bytes.Equal(f.Payload, want) {
			return fmt.Sprintf("bytes %.40x, %v", f.Payload, err)
		}
	}
	if p.Size != nil && len(f.Payload) != *p.Size || p.MaxSize != nil && len(f.Payload) > *p.MaxSize {
		return fmt.Sprintf("%d bytes", len(f.Payload))
	}
	if p.Text != nil {
		return vector.Differs(p.Text, string(f.Payload), "text", vector.Exactly)
	}
	if p.Value == nil && p.Part == nil {
		return ""
	}
	value, err := decodeGeneric(f)
	if err != nil {
		return err.Error()
	}
	if p.Part != nil {
		return vector.Differs(p.Part, value, "value", vector.Partly)
	}
	var want any
	if err := json.Unmarshal(p.Value, &want); err != nil {
		return err.Error()
	}
	return vector.Differs(want, value, "value", vector.Exactly)
}

// decodeGeneric decodes a payload into what encoding/json makes of values.
func decodeGeneric(f frame.Frame) (any, error) {
	text := json.RawMessage(f.Payload)
	if f.Encoding == frame.MsgPack {
		var value any
		if err := decodeMsgPack(f.Payload, &value); err != nil {
			return nil, err
		}
		var err error
		if text, err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	var value any
	err := json.Unmarshal(text, &value)
	return value, err
}

// appendScripted appends the bytes of a frame as scripts write them.
func appendScripted(b []byte, text json.RawMessage) ([]byte, error) {
	var s struct {
		Kind     any             `json:"kind"`
		ID       uint32          `json:"id"`
		Encoding string          `json:"encoding"`
		Meta     json.RawMessage `json:"meta"`
		MetaText string          `json:"meta_text"`
		MetaHex  string          `json:"meta_hex"`
		Value    json.RawMessage `json:"value"`
		Text     string          `json:"text"`
		Hex      string          `json:"hex"`
	}
	if err := vector.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	kind, err := kindNumber(s.Kind)
	if err != nil {
		return nil, err
	}
	encoding, err := encodingNumber(cmp.Or(s.Encoding, "json"))
	if err != nil {
		return nil, err
	}
	meta, err := content(s.Meta, s.MetaText, s.MetaHex)
	if err != nil {
		return nil, err
	}
	payload, err := content(s.Value, s.Text, s.Hex)
	return frame.Append(b, kind, encoding, s.ID, meta, payload), err
}

func kindNumber(kind any) (frame.Kind, error) {
	switch kind := kind.(type) {
	case float64:
		return frame.Kind(kind), nil
	case string:
		for number, name := range kindNames {
			if name == kind && number > 0 {
				return frame.Kind(number), nil
			}
		}
	}
	return 0, fmt.Errorf("no kind %v", kind)
}

func encodingNumber(name string) (frame.Encoding, error) {
	for _, encoding := range []frame.Encoding{frame.JSON, frame.MsgPack, frame.Raw, frame.Reserved} {
		if encoding.String() == name {
			return encoding, nil
		}
	}
	return 0, fmt.Errorf("no encoding %s", name)
}

func content(value json.RawMessage, text, hex string) ([]byte, error) {
	switch {
	case value != nil:
		return value, nil
	case hex != "":
		return vector.Bytes(hex)
	}
	return []byte(text), nil
}
