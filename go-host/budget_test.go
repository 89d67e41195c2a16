package rootbridge_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rootbridge"
)

func TestArgumentsOfAllCallsTogetherAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host := start(t, busy+fmt.Sprintf(`
		import { existsSync } from 'node:fs';
		export const take = async () => { while (!existsSync(%q)) await sleep(5); };`, filepath.Join(dir, "go")), with(func(o *rootbridge.Options) {
		o.MaxPayload, o.MaxInFlight, o.Concurrency = 1<<20, 3<<20, 1
	}))
	big := strings.Repeat("x", 1<<20-2) // with its quotes 1 MiB
	var done sync.WaitGroup
	for range 3 { // one runs and two wait
		done.Go(func() { call[any](t, host, "take", big) })
	}
	eventually(t, "three are held", func() bool { return host.Stats().Bytes == 3<<20 })
	expectCode(t, host.Call(t.Context(), "take", "x", nil), rootbridge.CodeOverloaded, "Options.MaxInFlight")
	done.Go(func() {
		if got := call[int](t, host, "pid", nil); got == 0 {
			t.Error("a call without an argument was not answered")
		}
	})
	eventually(t, "it waits", func() bool { return host.Stats().Queued == 3 })
	writeFile(t, dir, "go", "")
	done.Wait()
	if s := host.Stats(); s.Bytes != 0 || s.Failed[rootbridge.CodeOverloaded] != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// A worker that reads nothing can't make the host's memory grow: what was written to it counts until it has answered.
func TestWhatAnAbandonedCallHoldsCountsUntilItsWorkerHasDealtWithIt(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) {
		o.MaxPayload, o.MaxInFlight, o.KillGrace, o.Heartbeat = 4<<20, 9<<20, long, -1
	}))
	var done sync.WaitGroup
	done.Go(func() { _ = host.Call(t.Context(), "spinFor", 1000, nil) })
	eventually(t, "the worker is blocked", func() bool { return host.Stats().InFlight == 1 })
	big := strings.Repeat("x", 4<<20-2)
	for range 2 {
		err := host.Call(t.Context(), "echo", big, nil, rootbridge.WithTimeout(10*time.Millisecond))
		if rootbridge.CodeOf(err) != rootbridge.CodeDeadlineExceeded {
			t.Errorf("got %v", err)
		}
	}
	if s := host.Stats(); s.Workers[0].Abandoned > 0 && s.Bytes < 4<<20 {
		t.Errorf("abandoned calls hold nothing: %+v", s)
	}
	done.Wait()
	eventually(t, "all is given back", func() bool { return host.Stats().Bytes == 0 })
}

// unencodable tells whether it was encoded.
type unencodable struct{ encoded *atomic.Bool }

func (u unencodable) MarshalJSON() ([]byte, error) {
	u.encoded.Store(true)
	return []byte("1"), nil
}

func TestACallThatHasNoChanceIsRefusedBeforeItsArgumentIsEncoded(t *testing.T) {
	t.Parallel()
	host := start(t, busy, with(func(o *rootbridge.Options) { o.Concurrency, o.QueueLimit = 1, -1 }))
	var done sync.WaitGroup
	done.Go(func() { call[string](t, host, "sleep", 2_000) })
	eventually(t, "the worker is full", func() bool { return host.Stats().InFlight == 1 })
	in := unencodable{new(atomic.Bool)}
	expectCode(t, host.Call(t.Context(), "echo", in, nil), rootbridge.CodeOverloaded, "Options.QueueLimit")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expectCode(t, host.Call(ctx, "echo", in, nil), rootbridge.CodeCanceled, "did not run")
	if in.encoded.Load() {
		t.Error("it was encoded")
	}
	done.Wait()
	if got := call[int](t, host, "echo", in); got != 1 || !in.encoded.Load() {
		t.Errorf("got %d", got)
	}
}
