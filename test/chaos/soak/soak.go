package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rootbridge"
)

// soak is one run.
//
// Law: mu guards failure; made guards itself; the rest is set before the first call.
type soak struct {
	calls   int
	callers int
	out     io.Writer

	host *rootbridge.Host
	made atomic.Int64 // calls that have ended

	mu      sync.Mutex
	failure error // the first
}

const (
	// samples is how often it is looked what this process uses, and rows how many of them are printed.
	samples = 60
	rows    = 12
	// recycling is after how many calls a worker is replaced.
	recycling = 5000
	// reloads is how often new code is loaded on the way.
	reloads = 20
	// hurried is so short a deadline that the answer may be late.
	hurried = 2 * time.Millisecond
)

const source = `exports.echo = (value) => value;
exports.fail = async ({ n }) => { throw Object.assign(new Error("asked to fail"), { n }); };
exports.wait = ({ n }) => new Promise((done) => setTimeout(done, n % 5));
`

// value is what the functions take, and echo returns.
type value struct {
	N    int64  `json:"n"`
	Text string `json:"text"`
}

// run makes the calls and prints a table. It fails when a call did, or when something was not flat at the end.
func (s *soak) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	entry := filepath.Join(dir, "index.js")
	if err := os.WriteFile(entry, []byte(source), 0o600); err != nil {
		return err
	}
	s.host, err = rootbridge.Start(ctx, rootbridge.Options{
		Entry: entry, Workers: 2, MaxCalls: recycling, MaxLifetime: 20 * time.Second, Heartbeat: 500 * time.Millisecond,
		CallTimeout: time.Minute, QueueTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	used, err := s.makeCalls(ctx)
	if err != nil {
		return err
	}
	if err := s.host.Close(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.failure, used.isFlat(s.out))
}

// makeCalls has all callers call, and looks now and then what that uses.
func (s *soak) makeCalls(ctx context.Context) (usage, error) {
	var calling sync.WaitGroup
	var next atomic.Int64
	for range s.callers {
		calling.Go(func() {
			for n := next.Add(1); n <= int64(s.calls); n = next.Add(1) {
				s.note(s.call(ctx, n))
				s.made.Add(1)
			}
		})
	}
	used, err := s.watch(ctx)
	calling.Wait()
	return used, err
}

// call makes one call, most of which are small echoes, and checks its answer.
func (s *soak) call(ctx context.Context, n int64) error {
	in := value{n, "some text"}
	switch n % 100 {
	case 1:
		in.Text = strings.Repeat("long ", 10_000)
	case 2:
		return s.callFail(ctx, in)
	case 3:
		return s.callHurried(ctx, in)
	}
	out, err := rootbridge.Func[value, value](s.host, "echo")(ctx, in)
	if err == nil && out != in {
		return fmt.Errorf("call %d got the answer of call %d", n, out.N)
	}
	return err
}

// callFail calls a function that throws.
func (s *soak) callFail(ctx context.Context, in value) error {
	err := s.host.Call(ctx, "fail", in, nil)
	var e *rootbridge.Error
	if errors.As(err, &e) && e.Code == rootbridge.CodeException && e.Fields["n"] == float64(in.N) {
		return nil
	}
	return fmt.Errorf("call %d, which throws, returned %w", in.N, err)
}

// callHurried calls a function that may or may not be done in time.
func (s *soak) callHurried(ctx context.Context, in value) error {
	err := s.host.Call(ctx, "wait", in, nil, rootbridge.WithTimeout(hurried))
	if !errors.Is(err, rootbridge.CodeDeadlineExceeded) {
		return err
	}
	return nil
}

// note keeps the first failure.
func (s *soak) note(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
	}
}

// watch takes samples at even steps of the calls made, prints some, and reloads now and then. All samples are taken while
// callers call.
func (s *soak) watch(ctx context.Context) (usage, error) {
	printHeader(s.out)
	began := time.Now()
	var used usage
	var reloading sync.WaitGroup
	defer reloading.Wait()
	for i := 1; i <= samples; i++ {
		for s.made.Load() < int64(s.calls*i/(samples+1)) {
			time.Sleep(time.Millisecond)
		}
		now, err := look()
		if err != nil {
			return used, err
		}
		used = append(used, now)
		if i%(samples/rows) == 0 {
			now.print(s.out, s.made.Load(), time.Since(began), s.host.Stats())
		}
		if i%(samples/reloads) == 0 {
			reloading.Go(func() { s.note(s.host.Reload(ctx)) })
		}
	}
	return used, nil
}
