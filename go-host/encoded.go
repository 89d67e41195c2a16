package rootbridge

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"rootbridge/internal/frame"
)

// Encoded is a value in its encoded form, for programs that pass on what others encode and decode.
//
// An argument of type Encoded is sent as it is. A result of type *Encoded is the payload as the worker sent it, with its
// codec; the Codec that it has before the call is the one wanted. Bytes come as Raw, whatever is wanted, and MsgPack comes
// only from a host whose Options.Codec is MsgPack.
type Encoded struct {
	Codec Codec  // JSON, MsgPack or Raw
	Bytes []byte // empty for no value, such as undefined; for Raw no bytes
}

// Raw is the codec of an Encoded that is bytes and nothing else. No host has it as its Options.Codec.
const Raw Codec = "raw"

// payload returns what is sent for an argument, to a host of the given codec.
func (e Encoded) payload(host Codec) (payload, error) {
	switch e.Codec {
	case Raw:
		return payload{bytes: e.Bytes, encoding: frame.Raw}, nil
	case JSON:
		return payload{bytes: e.Bytes, encoding: frame.JSON}, checkJSONDepth(e.Bytes)
	case MsgPack:
		return payload{bytes: e.Bytes, encoding: frame.MsgPack}, e.checkMsgPack(host)
	}
	return payload{}, fmt.Errorf("expected Encoded.Codec to be one of %q, got %q", []Codec{JSON, MsgPack, Raw}, e.Codec)
}

func (e Encoded) checkMsgPack(host Codec) error {
	if host != MsgPack {
		return fmt.Errorf("expected Options.Codec %q for MessagePack that is encoded already, got %q", MsgPack, host)
	}
	if len(e.Bytes) == 0 {
		return nil
	}
	if err := checkMsgPack(e.Bytes); err != nil {
		return err
	}
	return checkTexts(e.Bytes)
}

// checkTexts finds text that is not UTF-8, which a worker would mend silently. The value is whole.
func checkTexts(b []byte) error {
	for len(b) > 0 {
		header, body, _, _ := msgPackItem(b)
		if kindOf(b) == itemText && !utf8.Valid(b[header:header+body]) {
			return errors.New("the MessagePack value has text that is not UTF-8")
		}
		b = b[header+body:]
	}
	return nil
}

// encodedAs returns a result with the name of its codec.
func encodedAs(encoded []byte, encoding frame.Encoding) Encoded {
	return Encoded{Codec: Codec(encoding.String()), Bytes: encoded}
}

// wantedBy is what a call's accept says for the result.
func wantedBy(out *Encoded) string {
	if out != nil && (out.Codec == JSON || out.Codec == MsgPack) {
		return string(out.Codec)
	}
	return ""
}
