package rootbridge_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rootbridge"
	"rootbridge/rootbridgetest"
)

type small struct {
	A string `json:"a"`
	B string `json:"b"`
}

// BenchmarkCall measures whole calls to one worker, by the number of callers. The function is asynchronous, as most are.
func BenchmarkCall(b *testing.B) {
	host := benchHost(b, rootbridge.JSON)
	in := small{strings.Repeat("x", 40), strings.Repeat("y", 40)}
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("typed-100B/callers-%d", callers), func(b *testing.B) {
			concurrently(b, callers, func() error {
				var out small
				err := host.Call(b.Context(), "echo", in, &out)
				if err == nil && out != in {
					return fmt.Errorf("got %v", out)
				}
				return err
			})
		})
	}
}

// BenchmarkPayload measures what payloads cost in each encoding, with one caller.
func BenchmarkPayload(b *testing.B) {
	event := map[string]any{}
	for i := range 40 {
		event[fmt.Sprintf("header-%d", i)] = strings.Repeat("v", 30)
	}
	text, err := json.Marshal(event)
	if err != nil {
		b.Fatal(err)
	}
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := benchHost(b, codec)
		b.Run(string(codec)+"/map-2KB", func(b *testing.B) {
			concurrently(b, 1, func() error { var out map[string]any; return host.Call(b.Context(), "echo", event, &out) })
		})
	}
	host := benchHost(b, rootbridge.JSON)
	b.Run("json/RawMessage-2KB", func(b *testing.B) {
		concurrently(b, 1, func() error {
			var out json.RawMessage
			return host.Call(b.Context(), "echo", json.RawMessage(text), &out)
		})
	})
	b.Run("raw/1MiB", func(b *testing.B) {
		bytes := make([]byte, 1<<20)
		b.SetBytes(2 << 20)
		concurrently(b, 1, func() error { var out []byte; return host.Call(b.Context(), "echo", bytes, &out) })
	})
}

func benchHost(b *testing.B, codec rootbridge.Codec) *rootbridge.Host {
	b.Helper()
	return rootbridgetest.Start(b, `export const echo = async (v) => v;`, func(o *rootbridge.Options) {
		o.Codec, o.Concurrency = codec, 64
		o.Logger = slog.New(slog.DiscardHandler)
	}, onTestNode)
}

// concurrently does b.N calls from so many callers.
func concurrently(b *testing.B, callers int, call func() error) {
	b.Helper()
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
}
