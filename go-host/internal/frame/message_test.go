package frame_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rootbridge/internal/frame"
	"rootbridge/internal/vector"
)

// messageCase is one case of protocol/vectors/messages.json.
type messageCase struct {
	ID       string         `json:"id"`
	Comment  string         `json:"comment"`
	Message  string         `json:"message"`
	From     string         `json:"from"`
	Text     string         `json:"text"`
	Hex      string         `json:"hex"`
	Value    map[string]any `json:"value"`
	Error    []string       `json:"error"`
	ReadOnly bool           `json:"read_only"`
}

// messageReaders return what a host has read, by the protocol's keys.
var messageReaders = map[string]func(from []byte) (map[string]any, error){
	"hello": func(from []byte) (map[string]any, error) {
		hello, err := frame.ParseHello(from)
		known := slices.DeleteFunc([]string{"json", "msgpack", "raw"}, func(name string) bool { return !hello.Accepts(name) })
		return map[string]any{
			"protocol": hello.Protocol, "max_payload": hello.MaxPayload, "encodings": known,
			"runtime": hello.Runtime, "runtime_version": hello.RuntimeVersion, "pid": hello.PID,
		}, err
	},
	"ready": func(from []byte) (map[string]any, error) {
		ready, err := frame.ParseReady(from)
		return map[string]any{"methods": ready.Methods}, err
	},
	"reply": func(from []byte) (map[string]any, error) {
		reply, err := frame.ParseReply(from)
		return map[string]any{"content_type": reply.ContentType}, err
	},
	"log": func(from []byte) (map[string]any, error) {
		log, err := frame.ParseLog(from)
		return map[string]any{"level": log.Level, "source": log.Source, "method": log.Method, "trace_id": log.TraceID}, err
	},
	"goaway": func(from []byte) (map[string]any, error) {
		goaway, err := frame.ParseGoaway(from)
		return map[string]any{"reason": goaway.Reason, "last_id": goaway.LastID, "serving": goaway.Serving}, err
	},
	"stats": func(from []byte) (map[string]any, error) {
		stats, err := frame.ParseStats(from)
		return map[string]any{
			"elu": stats.ELU, "heap_used": stats.HeapUsed, "heap_limit": stats.HeapLimit, "rss": stats.RSS, "external": stats.External,
		}, err
	},
}

func TestMessagesOfWorkersAreReadAsDescribed(t *testing.T) {
	t.Parallel()
	for _, c := range messageCases(t) {
		read := messageReaders[c.Message]
		if c.From != "worker" || read == nil { // package rootbridge reads errors
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			got, err := read(c.bytes(t))
			if c.Error != nil {
				expectParts(t, err, c.Error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(canonical(t, got), canonical(t, c.Value)) {
				t.Errorf("read %v, expected %v", got, c.Value)
			}
		})
	}
}

func TestMessagesOfHostsAreWrittenAsDescribed(t *testing.T) {
	t.Parallel()
	for _, c := range messageCases(t) {
		if c.From != "host" || c.Value == nil || c.ReadOnly {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			var got map[string]any
			if err := json.Unmarshal(writeMessage(t, c), &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.Value) {
				t.Errorf("wrote %v, expected %v", got, c.Value)
			}
		})
	}
}

// FuzzMessages checks that no payload or meta makes a reader panic or return a number out of its range.
func FuzzMessages(f *testing.F) {
	cases := messageCases(f)
	for i := range cases {
		if b := cases[i].bytes(f); cases[i].From == "worker" && len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, from []byte) {
		hello, err := frame.ParseHello(from)
		if err == nil && (hello.Protocol < 1 || hello.MaxPayload < frame.MinMaxPayload || hello.MaxPayload > frame.MaxMaxPayload) {
			t.Errorf("read the hello %+v", hello)
		}
		if ready, err := frame.ParseReady(from); err == nil && ready.Methods == nil {
			t.Error("read a ready without methods")
		}
		if log, _ := frame.ParseLog(from); log.Level == "" || log.Source == "" {
			t.Errorf("read the log %+v", log)
		}
		if goaway, err := frame.ParseGoaway(from); err == nil && goaway.LastID != nil && *goaway.LastID > frame.MaxCallID {
			t.Errorf("read the goaway %+v", goaway)
		}
		stats, _ := frame.ParseStats(from)
		if elu := stats.ELU; elu != nil && !(*elu >= 0 && *elu <= 1) {
			t.Errorf("read an elu of %v", *elu)
		}
		if min(stats.HeapUsed, stats.HeapLimit, stats.RSS, stats.External) < 0 {
			t.Errorf("read the stats %+v", stats)
		}
	})
}

func writeMessage(t *testing.T, c messageCase) []byte {
	t.Helper()
	switch c.Message {
	case "hello":
		var hello frame.HelloMessage
		remarshal(t, c.Value, &hello)
		return marshal(t, hello)
	case "call":
		var call struct {
			Method, Traceparent, Convention, Accept string
			TraceID                                 string `json:"trace_id"`
			Timeout                                 int64
			Lambda                                  *frame.InvocationMeta
		}
		remarshal(t, c.Value, &call)
		return frame.AppendCallMeta(nil, frame.CallMeta{
			Method: call.Method, Timeout: time.Duration(call.Timeout) * time.Millisecond, TraceID: call.TraceID,
			Traceparent: call.Traceparent, Convention: call.Convention, Accept: call.Accept, Lambda: call.Lambda,
		})
	case "cancel":
		var cancel struct{ Reason string }
		remarshal(t, c.Value, &cancel)
		return frame.AppendCancelMeta(nil, cancel.Reason)
	}
	t.Fatalf("nobody writes the message %q of a host", c.Message)
	return nil
}

func messageCases(tb testing.TB) []messageCase {
	tb.Helper()
	cases, err := vector.Read[messageCase]("messages.json")
	if err != nil {
		tb.Fatal(err)
	}
	return cases
}

func (c messageCase) bytes(tb testing.TB) []byte {
	tb.Helper()
	if c.Hex == "" {
		return []byte(c.Text)
	}
	return unhex(tb, c.Hex)
}

func expectParts(t *testing.T, err error, parts []string) {
	t.Helper()
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("expected %q in: %v", part, err)
		}
	}
}

// canonical is an object as JSON has it, without the keys that Go can't tell from absent ones.
func canonical(t *testing.T, object map[string]any) map[string]any {
	t.Helper()
	var kept map[string]any
	remarshal(t, object, &kept)
	sizes := []string{"pid", "heap_used", "heap_limit", "rss", "external"}
	maps.DeleteFunc(kept, func(key string, value any) bool {
		return value == nil || value == "" || value == false || value == 0.0 && slices.Contains(sizes, key)
	})
	return kept
}

func remarshal(t *testing.T, from, to any) {
	t.Helper()
	if err := json.Unmarshal(marshal(t, from), to); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
