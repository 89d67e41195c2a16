package frame

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// HelloMessage is the payload of a hello frame (protocol/README.md, section 4).
type HelloMessage struct {
	Protocol       int           `json:"protocol"`
	MaxPayload     int           `json:"max_payload"`
	Encodings      []string      `json:"encodings"`
	Options        *HelloOptions `json:"options,omitempty"`
	Runtime        string        `json:"runtime,omitempty"`
	RuntimeVersion string        `json:"runtime_version,omitempty"`
	PID            int           `json:"pid,omitempty"`
}

// HelloOptions is what a host asks of a worker.
type HelloOptions struct {
	Convention string `json:"convention,omitempty"`
	Codec      string `json:"codec,omitempty"`
	Source     string `json:"source,omitempty"`
}

// ParseHello reads a worker's hello and checks the rules that both sides must keep.
func ParseHello(payload []byte) (HelloMessage, error) {
	var hello HelloMessage
	if err := json.Unmarshal(payload, &hello); err != nil {
		return hello, fmt.Errorf("hello is not the JSON object that section 4 of the protocol describes: %w", err)
	}
	if hello.Protocol < 1 {
		return hello, fmt.Errorf("hello names protocol version %d, expected 1 or higher", hello.Protocol)
	}
	if hello.MaxPayload < MinMaxPayload || hello.MaxPayload > MaxMaxPayload {
		return hello, fmt.Errorf("hello names max_payload %d, expected %d to %d", hello.MaxPayload, MinMaxPayload, MaxMaxPayload)
	}
	if !hello.Accepts("json") || !hello.Accepts("raw") {
		return hello, fmt.Errorf("hello names the encodings %q, expected at least json and raw", hello.Encodings)
	}
	return hello, nil
}

// Accepts tells whether the sender of the hello accepts an encoding.
func (h HelloMessage) Accepts(encoding string) bool {
	for _, e := range h.Encodings {
		if e == encoding {
			return true
		}
	}
	return false
}

// ReadyMessage is the payload of a ready frame.
type ReadyMessage struct {
	Methods []string `json:"methods"`
}

// CallMeta is the meta of a call frame (protocol/README.md, section 6). Zero fields are left out.
type CallMeta struct {
	Method      string
	Timeout     time.Duration // time left; sent in milliseconds, rounded up
	TraceID     string
	Traceparent string
	Convention  string
	Accept      string
}

// AppendCallMeta appends meta as JSON to dst.
func AppendCallMeta(dst []byte, meta CallMeta) []byte {
	dst = append(dst, `{"method":`...)
	dst = appendString(dst, meta.Method)
	if meta.Timeout > 0 {
		dst = append(dst, `,"timeout":`...)
		dst = strconv.AppendInt(dst, int64((meta.Timeout+time.Millisecond-1)/time.Millisecond), 10)
	}
	dst = appendField(dst, `,"trace_id":`, meta.TraceID)
	dst = appendField(dst, `,"traceparent":`, meta.Traceparent)
	dst = appendField(dst, `,"convention":`, meta.Convention)
	dst = appendField(dst, `,"accept":`, meta.Accept)
	return append(dst, '}')
}

func appendField(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, key...), value)
}

// appendString appends s as a JSON string. Nearly every name is plain ASCII and copied as it is.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) //nolint:errchkjson // a string always has a JSON form
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// AppendCancelMeta appends the meta of a cancel frame to dst.
func AppendCancelMeta(dst []byte, reason string) []byte {
	dst = append(dst, `{"reason":`...)
	return append(appendString(dst, reason), '}')
}

// LogMeta is the meta of a log frame (protocol/README.md, section 8).
type LogMeta struct {
	Level   string `json:"level"`
	Source  string `json:"source"`
	Method  string `json:"method"`
	TraceID string `json:"trace_id"`
}

// GoawayMeta is the meta of a goaway frame from a worker (protocol/README.md, section 9).
type GoawayMeta struct {
	Reason string  `json:"reason"`
	LastID *uint32 `json:"last_id"`
}

// ParseMeta reads a frame's meta, which must be a JSON object, into out. No bytes mean an empty object.
func ParseMeta(meta []byte, out any) error {
	if len(meta) == 0 {
		return nil
	}
	if trimmed := bytes.TrimLeft(meta, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return fmt.Errorf("meta is not a JSON object but %q", cut(meta, 32))
	}
	if err := json.Unmarshal(meta, out); err != nil {
		return fmt.Errorf("meta is not as the protocol describes it: %w", err)
	}
	return nil
}

func cut(b []byte, n int) []byte {
	return b[:min(n, len(b))]
}
