package rootbridge

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
	"rootbridge/internal/pool"
)

// A call that was sent after its worker was found quiet would end with the process.
func TestACallThatHasAPlaceIsNotSentToAWorkerThatLeaves(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*Host, *worker){
		"replaced": func(h *Host, w *worker) { h.supervisor.Replace(w, reasonCalls) },
		"closed":   func(h *Host, _ *worker) { go h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, err := Start(t.Context(), Options{
				Source: `export const never = () => new Promise(() => {}), echo = (v) => v;`,
				Node:   os.Getenv("ROOTBRIDGE_TEST_NODE"), Workers: 1, Concurrency: 1_001, DrainTimeout: sessionTime,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = host.Close() })
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() {
				if err := host.Call(ctx, "never", nil, nil); !errors.Is(err, CodeCanceled) {
					t.Errorf("the call that was there before: %v", err)
				}
			})
			places := takePlaces(t, host, 1_000)
			w := places[0].Resource
			deadline := time.Now().Add(sessionTime)
			for ; w.calls.Load() == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			}
			leave(host, w)
			for ; !refuses(t, w); time.Sleep(100 * time.Millisecond) {
				if places = places[1:]; time.Now().After(deadline) {
					cancel()
					t.Fatal("calls are still sent to a worker that leaves")
				}
			}
			for _, slot := range places {
				host.pool.Release(slot)
			}
			cancel()
			running.Wait()
			if err := host.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func takePlaces(t *testing.T, host *Host, count int) []*pool.Slot[*worker] {
	t.Helper()
	places := make([]*pool.Slot[*worker], count)
	for i := range places {
		if places[i] = host.pool.TryAcquire(); places[i] == nil {
			t.Fatalf("only %d calls have a place", i)
		}
	}
	return places
}

// refuses tries to send a call. If one was sent, it has given its place back.
func refuses(t *testing.T, w *worker) bool {
	t.Helper()
	call := conn.NewCall()
	err := w.send(call, limit{}, frame.CallMeta{Method: "echo"}, payload{encoding: frame.JSON, bytes: []byte("1")})
	if errors.Is(err, errNotBegun) {
		return true
	}
	if err == nil {
		err = w.await(t.Context(), call)
	}
	if err != nil {
		t.Errorf("a call that was sent: %v", err)
	}
	return false
}
