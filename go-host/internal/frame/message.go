package frame

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
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
	Handler    string `json:"handler,omitempty"`

	LambdaRuntime string `json:"lambda_runtime,omitempty"`
}

// ParseHello reads a worker's hello and checks the rules that both sides must keep.
func ParseHello(payload []byte) (HelloMessage, error) {
	var hello HelloMessage
	keys, err := ParseObject(payload)
	err = errors.Join(
		err,
		keys.Read("protocol", &hello.Protocol),
		keys.Read("max_payload", &hello.MaxPayload),
		keys.Read("encodings", &hello.Encodings),
		keys.Read("runtime", &hello.Runtime),
		keys.Read("runtime_version", &hello.RuntimeVersion),
		keys.Read("pid", &hello.PID),
	)
	if err != nil {
		return hello, fmt.Errorf("hello is not as section 4 of the protocol describes it: %w", err)
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
	Methods []string
}

// ParseReady reads a worker's ready.
func ParseReady(payload []byte) (ReadyMessage, error) {
	var ready ReadyMessage
	keys, err := ParseObject(payload)
	if err = errors.Join(err, keys.Read("methods", &ready.Methods)); err != nil {
		return ready, fmt.Errorf("ready is not as section 3 of the protocol describes it: %w", err)
	}
	if ready.Methods == nil {
		return ready, errors.New("ready has no list of methods")
	}
	return ready, nil
}

// CallMeta is the meta of a call frame (protocol/README.md, section 6). Zero fields are left out.
type CallMeta struct {
	Method      string
	Timeout     time.Duration // time left; sent in milliseconds, rounded up
	TraceID     string
	Traceparent string
	Convention  string
	Accept      string
	Lambda      *InvocationMeta // nil for none
}

// InvocationMeta is what an invocation of a Lambda handler carries beside its event.
type InvocationMeta struct {
	RequestID     string          `json:"request_id,omitempty"`
	FunctionARN   string          `json:"function_arn,omitempty"`
	ClientContext json.RawMessage `json:"client_context,omitempty"` // must be JSON
	Identity      json.RawMessage `json:"identity,omitempty"`       // must be JSON
	Trace         string          `json:"trace,omitempty"`
	TenantID      string          `json:"tenant_id,omitempty"`
}

// AppendCallMeta appends meta as JSON to dst.
func AppendCallMeta(dst []byte, meta CallMeta) []byte {
	dst = append(dst, `{"method":`...)
	dst = appendString(dst, meta.Method)
	if meta.Timeout > 0 {
		dst = append(dst, `,"timeout":`...)
		dst = strconv.AppendInt(dst, int64(meta.Timeout/time.Millisecond)+roundUp(meta.Timeout), 10)
	}
	dst = appendField(dst, `,"trace_id":`, meta.TraceID)
	dst = appendField(dst, `,"traceparent":`, meta.Traceparent)
	dst = appendField(dst, `,"convention":`, meta.Convention)
	dst = appendField(dst, `,"accept":`, meta.Accept)
	if meta.Lambda != nil {
		text, _ := json.Marshal(meta.Lambda) //nolint:errchkjson // who makes an InvocationMeta sees to its JSON
		dst = append(append(dst, `,"lambda":`...), text...)
	}
	return append(dst, '}')
}

// roundUp returns 1 for a duration that is not a whole number of milliseconds.
func roundUp(d time.Duration) int64 {
	if d%time.Millisecond > 0 {
		return 1
	}
	return 0
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

// ReplyMeta is the meta of a reply frame (protocol/README.md, section 6, "Lambda").
type ReplyMeta struct {
	ContentType string // of bytes that a Lambda handler has streamed; "" when it has not set one
}

// ParseReply reads a reply's meta. A result is worth more than its meta: what is returned beside an error can be used, and a
// content type that is no text is left out.
func ParseReply(meta []byte) (ReplyMeta, error) {
	var reply ReplyMeta
	keys, err := parseMeta(meta)
	if keys.Read("content_type", &reply.ContentType) != nil {
		reply.ContentType = ""
	}
	return reply, err
}

// LogMeta is the meta of a log frame (protocol/README.md, section 8).
type LogMeta struct {
	Level, Source, Method, TraceID string
}

// ParseLog reads a log line's meta. A line is worth more than its meta: what is returned beside an error can be used, and
// unknown levels and sources read as info and stdout.
func ParseLog(meta []byte) (LogMeta, error) {
	var log LogMeta
	keys, err := parseMeta(meta)
	err = errors.Join(
		err,
		keys.Read("level", &log.Level),
		keys.Read("source", &log.Source),
		keys.Read("method", &log.Method),
		keys.Read("trace_id", &log.TraceID),
	)
	switch log.Level {
	case "debug", "info", "warn", "error":
	default:
		log.Level = "info"
	}
	switch log.Source {
	case "console", "stdout", "stderr", "log":
	default:
		log.Source = "stdout"
	}
	return log, err
}

// GoawayMeta is the meta of a goaway frame from a worker (protocol/README.md, section 9).
type GoawayMeta struct {
	Reason  string
	LastID  *uint32 // 0 when no call was started, nil when that is not known
	Serving bool    // it goes on taking calls until the host's goaway, and LastID means nothing
}

// ParseGoaway reads the meta of a worker's goaway.
func ParseGoaway(meta []byte) (GoawayMeta, error) {
	var goaway GoawayMeta
	keys, err := parseMeta(meta)
	err = errors.Join(
		err,
		keys.Read("reason", &goaway.Reason),
		keys.Read("last_id", &goaway.LastID),
		keys.Read("serving", &goaway.Serving),
	)
	if err != nil {
		return goaway, fmt.Errorf("goaway: %w", err)
	}
	if goaway.LastID != nil && *goaway.LastID > MaxCallID {
		return goaway, fmt.Errorf("goaway: expected last_id to be at most %d, got %d", MaxCallID, *goaway.LastID)
	}
	return goaway, nil
}

// StatsMessage is the payload of a worker's stats frame (protocol/README.md, section 8): what it uses, in bytes where
// nothing else is said.
type StatsMessage struct {
	ELU       *float64 // event-loop utilization since the last stats, or since ready: 0 to 1; nil when it did not say
	HeapUsed  int64    // this and all that follow are 0 when it did not say
	HeapLimit int64    // where V8 gives up
	RSS       int64    // resident set size
	External  int64    // outside of V8's heap, array buffers included
}

// ParseStats reads a worker's stats. Numbers are advice: those that are none are left out.
func ParseStats(payload []byte) (StatsMessage, error) {
	if len(payload) > MaxStats {
		return StatsMessage{}, fmt.Errorf("stats: expected at most %d bytes, got %d", MaxStats, len(payload))
	}
	keys, err := parseMeta(payload)
	if err != nil {
		return StatsMessage{}, fmt.Errorf("stats: %w", err)
	}
	stats := StatsMessage{
		HeapUsed: keys.byteCount("heap_used"), HeapLimit: keys.byteCount("heap_limit"),
		RSS: keys.byteCount("rss"), External: keys.byteCount("external"),
	}
	var elu float64
	if _, ok := keys["elu"]; ok && keys.Read("elu", &elu) == nil && elu >= 0 && elu <= 1 {
		stats.ELU = &elu
	}
	return stats, nil
}

// parseMeta reads an object that may be left out, as metas may. No bytes mean an empty one.
func parseMeta(meta []byte) (Object, error) {
	if len(meta) == 0 {
		return nil, nil
	}
	return ParseObject(meta)
}

// Object is a JSON object whose values are still text. encoding/json alone would take a key in another case for the same.
type Object map[string]json.RawMessage

// ParseObject reads a JSON object. Text that is not UTF-8 is an error: encoding/json would mend it silently.
func ParseObject(text []byte) (Object, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("expected a JSON object, got bytes that are not UTF-8")
	}
	var object Object
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("expected a JSON object, got %q: %w", text[:min(len(text), 32)], err)
	}
	if object == nil {
		return nil, errors.New("expected a JSON object, got null")
	}
	return object, nil
}

// Read stores the value of a key in out. Without the key it leaves out as it is.
func (o Object) Read(key string, out any) error {
	text, ok := o[key]
	if !ok {
		return nil
	}
	if string(text) == "null" { // encoding/json would leave out as it is
		return fmt.Errorf("%s: expected a value, got null", key)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// maxSafe is the largest integer that JavaScript's numbers count up to without gaps.
const maxSafe = 1<<53 - 1

// byteCount returns 0 for what is no number of bytes.
func (o Object) byteCount(key string) int64 {
	var n float64
	if o.Read(key, &n) != nil || n < 0 || n > maxSafe || n != math.Trunc(n) {
		return 0
	}
	return int64(n)
}
