package conn_test

import (
	"bytes"
	"sync"
	"testing"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
)

// FuzzServe feeds a connection whatever a worker could send: every call must settle exactly once, with an answer that was
// sent for its id or with the connection's end.
func FuzzServe(f *testing.F) {
	reply := func(id uint32, payload string) []byte {
		return frame.Append(nil, frame.Reply, frame.JSON, id, nil, []byte(payload))
	}
	goaway := frame.Append(nil, frame.Goaway, frame.JSON, 0, []byte(`{"reason":"x","last_id":1}`), nil)
	f.Add(append(reply(2, "b"), reply(1, "a")...))
	f.Add(append(reply(1, "a"), reply(1, "again")...))
	f.Add(append(goaway, reply(1, "a")...))
	f.Add(append(reply(1, "a"), goaway...))
	f.Add(append(frame.Append(nil, frame.Goaway, frame.JSON, 0, []byte(`{"reason":"x","last_id":0,"serving":true}`), nil), reply(2, "b")...))
	f.Add(frame.Append(nil, frame.Stats, frame.JSON, 0, nil, []byte(`{"elu":0.5,"rss":1}`)))
	f.Add(frame.Append(nil, frame.Error, frame.JSON, 3, nil, []byte(`{"code":"exception","message":""}`)))
	f.Add(frame.Append(nil, frame.Log, frame.Raw, 9, []byte(`[1]`), []byte("text")))
	f.Add(frame.Append(nil, frame.Hello, frame.JSON, 0, nil, []byte("{}")))
	f.Add(reply(1, "a")[:20])
	f.Fuzz(func(t *testing.T, input []byte) {
		var sent bytes.Buffer
		h := &counter{settled: make(map[*conn.Call]int)}
		c := conn.New(unclosed{&sent}, 1024, h)
		calls := make([]*conn.Call, 4)
		for i := range calls {
			calls[i] = conn.NewCall()
			if err := c.Send(calls[i], frame.JSON, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		abandoned := calls[3]
		c.Abandon(abandoned, "canceled")
		c.Serve(frame.NewReader(bytes.NewReader(input), 1024), func(error) error { return errEnded })
		for _, call := range calls[:3] {
			<-call.Done
			answered := call.Kind == frame.Reply || call.Kind == frame.Error
			if answered == (call.Err != nil) {
				t.Errorf("a call ended with kind %d and %v", call.Kind, call.Err)
			}
			if answered && !bytes.Contains(input, call.Payload) {
				t.Errorf("a call got %q, which nobody sent", call.Payload)
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, call := range calls {
			if h.settled[call] != 1 {
				t.Errorf("a call settled %d times", h.settled[call])
			}
		}
	})
}

type counter struct {
	mu      sync.Mutex
	settled map[*conn.Call]int
}

func (c *counter) Settled(call *conn.Call) { c.mu.Lock(); defer c.mu.Unlock(); c.settled[call]++ }

func (*counter) Log(frame.LogMeta, uint32, frame.Encoding, []byte) {}

func (*counter) Fatal([]byte) {}

func (*counter) Pong() {}

func (*counter) Goaway(frame.GoawayMeta) {}

func (*counter) Stats(frame.StatsMessage) {}

func (*counter) Unwritable(error) {}
