package rootbridge_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
)

// quick makes heartbeats follow each other fast.
func quick(o *rootbridge.Options) { o.Heartbeat = 50 * time.Millisecond }

const leaky = `
const kept = [];
export const pid = () => process.pid;
export const version = async (v) => { await new Promise((r) => setTimeout(r, v.ms)); return { version: 1, echo: v }; };
export const keep = (mb) => { kept.push(Buffer.alloc(mb * 2 ** 20, 1)); };
export const grow = () => { for (;;) kept.push(new Array(1e5).fill({}).map(() => ({}))); };
export const fill = (mb) => { while (process.memoryUsage().heapUsed < mb * 2 ** 20) kept.push(new Array(1e5).fill(0)); };
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms, 'slept'));
`

func TestWorkersAreRecycledWithoutFailingACall(t *testing.T) {
	t.Parallel()
	for reason, option := range map[string]func(o *rootbridge.Options){
		"calls":    func(o *rootbridge.Options) { o.MaxCalls = 50 },
		"lifetime": func(o *rootbridge.Options) { o.MaxLifetime = 500 * time.Millisecond },
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			host := start(t, leaky, quick, option)
			l := startLoad(t, host, 4)
			eventually(t, "three workers were recycled", func() bool { return host.Stats().RestartsBy[reason] >= 3 })
			l.end()
			if s := host.Stats(); len(s.Failed) > 0 || s.Generation != 1 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

func TestAWorkerIsRecycledAfterIdlenessOnlyIfItHasHadCalls(t *testing.T) {
	t.Parallel()
	host := start(t, leaky, quick, with(func(o *rootbridge.Options) { o.Workers, o.MaxIdleTime = 2, 300*time.Millisecond }))
	used := call[int](t, host, "pid", nil)
	eventually(t, "the worker that was used is gone", func() bool { return host.Stats().RestartsBy["idle"] == 1 && host.Stats().Draining == 0 })
	for range 20 {
		time.Sleep(50 * time.Millisecond) // more than the time after which the unused ones would have to go
		if s := host.Stats(); s.RestartsBy["idle"] != 1 {
			t.Fatalf("an unused worker was recycled: %+v", s)
		}
	}
	for _, w := range host.Stats().Workers {
		if w.PID == used {
			t.Error("the worker that was used is still there")
		}
	}
}

func TestAWorkerThatUsesTooMuchMemoryIsReplacedAndOneFarBeyondIsKilled(t *testing.T) {
	t.Parallel()
	host := start(t, leaky, quick, with(func(o *rootbridge.Options) { o.MaxRSS = 200 << 20 }))
	call[any](t, host, "keep", 180)
	eventually(t, "the worker was recycled", func() bool { return host.Stats().RestartsBy["memory"] == 1 })
	eventually(t, "its successor is alone", func() bool { return len(host.Stats().Workers) == 1 })
	var done sync.WaitGroup
	done.Go(func() {
		expectCode(t, host.Call(t.Context(), "sleep", 30_000, nil), rootbridge.CodeWorkerCrashed, "Options.MaxRSS")
	})
	eventually(t, "a call runs", func() bool { return host.Stats().InFlight == 1 })
	_ = host.Call(t.Context(), "keep", 600, nil) // it may be answered before its worker is looked at
	done.Wait()
}

func TestAWorkerWithoutHeapLeftSaysSo(t *testing.T) {
	t.Parallel()
	host := start(t, leaky, with(func(o *rootbridge.Options) { o.MaxHeap = 64 << 20 }))
	expectCode(t, host.Call(t.Context(), "grow", nil, nil), rootbridge.CodeWorkerCrashed, "Options.MaxHeap")
	if got := call[int](t, host, "pid", nil); got == 0 {
		t.Error("no worker answers")
	}
}

func TestAWorkerWhoseHeapStaysFullIsReplaced(t *testing.T) {
	t.Parallel()
	host := start(t, leaky, quick, with(func(o *rootbridge.Options) { o.MaxHeap = 96 << 20 }))
	before := call[int](t, host, "pid", nil)
	call[any](t, host, "fill", 90)
	eventually(t, "the worker was recycled", func() bool { return host.Stats().RestartsBy["memory"] == 1 })
	if after := call[int](t, host, "pid", nil); after == before {
		t.Error("the full worker answers")
	}
}

func TestTheHeapLimitThatTheUserChoseWins(t *testing.T) {
	t.Parallel()
	const limit = `import v8 from 'node:v8'; export const limit = () => v8.getHeapStatistics().heap_size_limit / 2 ** 20;`
	for name, c := range map[string]struct {
		option func(o *rootbridge.Options)
		least  float64
		most   float64
	}{
		"MaxHeap":  {func(o *rootbridge.Options) { o.MaxHeap = 100 << 20 }, 100, 299}, // with room for young values
		"NodeArgs": {func(o *rootbridge.Options) { o.MaxHeap, o.NodeArgs = 100<<20, []string{"--max-old-space-size=300"} }, 300, 499},
		"NODE_OPTIONS": {func(o *rootbridge.Options) {
			o.MaxHeap, o.Env = 100<<20, []string{"NODE_OPTIONS=--max_old_space_size=300"}
		}, 300, 499},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := start(t, limit, with(c.option))
			if got := call[float64](t, host, "limit", nil); got < c.least || got > c.most {
				t.Errorf("the heap's limit is %v MiB", got)
			}
		})
	}
}

func TestStatsTellWhatEachWorkerUses(t *testing.T) {
	t.Parallel()
	host := start(t, leaky, quick)
	call[any](t, host, "keep", 30)
	eventually(t, "a heartbeat has told", func() bool { return host.Stats().Workers[0].External > 30<<20 })
	w := host.Stats().Workers[0]
	if w.State != "ready" || w.Heap < 1<<20 || w.HeapLimit < w.Heap || w.RSS < 30<<20 || w.Utilization < 0 || w.Utilization > 1 || w.Age <= 0 || w.Calls != 1 {
		t.Errorf("got %+v", w)
	}
}

func TestReadinessFollowsTheWorkersAndLivenessOnlyTheClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := writeFile(t, dir, "index.js", versioned(1))
	host := start(t, entry)
	if err := host.Ready(); err != nil {
		t.Error(err)
	}
	writeFile(t, dir, "index.js", "throw new Error('gone wrong');")
	expectCode(t, host.Call(t.Context(), "exit", nil, nil), rootbridge.CodeWorkerCrashed)
	eventually(t, "it is not ready, for the right reason", func() bool {
		err := host.Ready()
		return err != nil && strings.Contains(err.Error(), "gone wrong")
	})
	if err := host.Live(); err != nil {
		t.Error(err)
	}
	writeFile(t, dir, "index.js", versioned(1))
	eventually(t, "it is ready again", func() bool { return host.Ready() == nil })
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	expectCode(t, host.Ready(), rootbridge.CodeClosed)
	expectCode(t, host.Live(), rootbridge.CodeClosed)
}
