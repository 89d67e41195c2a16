package rootbridge_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/internal/vector"
)

// hostCase is one case of protocol/vectors/sessions/host: a script that plays a worker against a real host.
type hostCase struct {
	ID         string                       `json:"id"`
	Comment    string                       `json:"comment"`
	Options    hostOptions                  `json:"options"`
	StartError map[string]any               `json:"start_error"`
	Workers    []workerScript               `json:"workers"`
	Host       []map[string]json.RawMessage `json:"host"`
}

// workerScript is a script for the scripted worker.
type workerScript []map[string]json.RawMessage

// expects tells whether the script waits for anything. One that does not may be killed before it began.
func (s workerScript) expects() bool {
	for _, step := range s {
		for _, key := range []string{"open", "expect", "expect_unordered", "expect_end"} {
			if _, ok := step[key]; ok {
				return true
			}
		}
	}
	return false
}

// hostOptions has times in milliseconds.
type hostOptions struct {
	Codec       rootbridge.Codec      `json:"codec"`
	Convention  rootbridge.Convention `json:"convention"`
	MaxPayload  int                   `json:"max_payload"`
	BootTimeout int                   `json:"boot_timeout"`
	KillGrace   int                   `json:"kill_grace"`
}

func TestHostSessionsGoAsScripted(t *testing.T) {
	t.Parallel()
	for _, name := range sessionFiles(t, "host") {
		cases, err := vector.Read[*hostCase](name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(filepath.Base(name)+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				for _, problem := range playHost(t, name, c) {
					t.Error(problem)
				}
			})
		}
	}
}

// TestAHostSessionThatGoesOtherwiseIsAProblem keeps the runner honest.
func TestAHostSessionThatGoesOtherwiseIsAProblem(t *testing.T) {
	t.Parallel()
	cases, err := vector.Read[*hostCase]("wrong/host.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			if problems := playHost(t, "wrong/host.json", c); len(problems) == 0 {
				t.Error("the runner saw nothing wrong")
			}
		})
	}
}

func sessionFiles(t *testing.T, kind string) []string {
	t.Helper()
	dir, err := vector.Dir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "sessions", kind, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions of kind %s: %v", kind, err)
	}
	for i, file := range files {
		files[i] = "sessions/" + kind + "/" + filepath.Base(file)
	}
	return files
}

// hostPlay is a host and what a script has done with it so far.
type hostPlay struct {
	host  *rootbridge.Host
	logs  *logRecords
	calls map[string]*startedCall
}

type startedCall struct {
	cancel context.CancelFunc
	done   chan struct{}
	reply  rootbridge.Reply // this and what follows are set before done is closed
	result any
	err    error
}

// playHost returns what went otherwise than the script says.
func playHost(t *testing.T, name string, c *hostCase) (problems []error) {
	t.Helper()
	logs := newLogRecords()
	folder := t.TempDir()
	host, err := rootbridge.Start(t.Context(), scriptedOptions(t, name, c, folder, logs))
	if c.StartError != nil || err != nil {
		problems = append(problems, checkError("start", c.StartError, err))
	}
	if host != nil {
		play := &hostPlay{host: host, logs: logs, calls: map[string]*startedCall{}}
		problems = append(problems, play.steps(c.Host)...)
		problems = append(problems, host.Close())
	}
	problems = append(problems, checkWorkers(folder, c.Workers)...)
	return slices.DeleteFunc(problems, func(err error) bool { return err == nil })
}

func scriptedOptions(t *testing.T, name string, c *hostCase, folder string, logs *logRecords) rootbridge.Options {
	t.Helper()
	dir, err := vector.Dir()
	if err != nil {
		t.Fatal(err)
	}
	node := cmp.Or(os.Getenv("ROOTBRIDGE_TEST_NODE"), "node")
	program := filepath.Join(dir, "..", "..", "test", "support", "scripted-worker.mjs")
	return rootbridge.Options{
		Command: []string{node, program, filepath.Join(dir, filepath.FromSlash(name)), c.ID, folder},
		Workers: 1, Codec: c.Options.Codec, Convention: c.Options.Convention, MaxPayload: c.Options.MaxPayload,
		BootTimeout: milliseconds(c.Options.BootTimeout), KillGrace: milliseconds(c.Options.KillGrace),
		Logger: slog.New(logs),
	}
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// checkWorkers looks whether each scripted worker got all that it expects.
func checkWorkers(folder string, scripts []workerScript) (problems []error) {
	for i, script := range scripts {
		_, err := os.Stat(filepath.Join(folder, fmt.Sprintf("%d.passed", i+1)))
		if err != nil && script.expects() {
			problems = append(problems, fmt.Errorf("worker %d did not get all that it expects", i+1))
		}
	}
	failed, err := filepath.Glob(filepath.Join(folder, "*.failed"))
	problems = append(problems, err)
	for _, file := range failed {
		reason, err := os.ReadFile(file)
		problems = append(problems, err, fmt.Errorf("worker %s", reason))
	}
	return problems
}

// steps plays a host's part, up to the first problem.
func (p *hostPlay) steps(steps []map[string]json.RawMessage) []error {
	for i, step := range steps {
		if err := p.step(step); err != nil {
			return []error{fmt.Errorf("host, step %d: %w", i+1, err)}
		}
	}
	return nil
}

func (p *hostPlay) step(step map[string]json.RawMessage) error {
	if len(step) != 1 {
		return fmt.Errorf("expected a step with one key, got %d", len(step))
	}
	for name, value := range step {
		play, ok := map[string]func(json.RawMessage) error{
			"call": p.call, "expect": p.expect, "cancel": p.cancel, "methods": p.methods, "log": p.log, "counts": p.counts,
			"close": func(json.RawMessage) error { return p.host.Close() },
		}[name]
		if !ok {
			return fmt.Errorf("no step %s", name)
		}
		return play(value)
	}
	return nil
}

func (p *hostPlay) call(step json.RawMessage) error {
	var c struct {
		As          string
		Method      string
		Value       json.RawMessage
		Hex         *string
		Depth       int
		Timeout     int
		TraceID     string `json:"trace_id"`
		Traceparent string
		Convention  rootbridge.Convention
	}
	if err := vector.Unmarshal(step, &c); err != nil {
		return err
	}
	in, err := callArgument(c.Value, c.Hex, c.Depth)
	if err != nil {
		return err
	}
	var options []rootbridge.CallOption
	if c.Timeout > 0 {
		options = append(options, rootbridge.WithTimeout(milliseconds(c.Timeout)))
	}
	if c.Convention != "" {
		options = append(options, rootbridge.WithConvention(c.Convention))
	}
	started := &startedCall{done: make(chan struct{})}
	options = append(options, rootbridge.WithTraceID(c.TraceID), rootbridge.WithTraceparent(c.Traceparent), rootbridge.WithReply(&started.reply))
	ctx, cancel := context.WithCancel(context.Background())
	started.cancel = cancel
	p.calls[c.As] = started
	go func() {
		defer close(started.done)
		defer cancel()
		started.err = p.host.Call(ctx, c.Method, in, &started.result, options...)
	}()
	return nil
}

func callArgument(value json.RawMessage, hex *string, depth int) (any, error) {
	switch {
	case hex != nil:
		content, err := vector.Bytes(*hex)
		return append([]byte{}, content...), err
	case depth > 0:
		nested := []any{}
		for range depth - 1 {
			nested = []any{nested}
		}
		return nested, nil
	case value == nil:
		return nil, nil
	case string(value) == "null":
		return value, nil // a Go nil would be no argument
	}
	var in any
	err := json.Unmarshal(value, &in)
	return in, err
}

func (p *hostPlay) expect(step json.RawMessage) error {
	var want struct {
		Of    string
		Value json.RawMessage
		Part  any
		Hex   *string
		Depth int
		None  bool
		Error map[string]any

		ContentType string `json:"content_type"`
	}
	if err := vector.Unmarshal(step, &want); err != nil {
		return err
	}
	call, ok := p.calls[want.Of]
	if !ok {
		return fmt.Errorf("no call is named %q", want.Of)
	}
	<-call.done
	if want.Error != nil || call.err != nil {
		return checkError(want.Of, want.Error, call.err)
	}
	if got := call.reply.ContentType; got != want.ContentType {
		return fmt.Errorf("%s has the content type %q, not %q", want.Of, got, want.ContentType)
	}
	switch {
	case want.Hex != nil:
		expected, err := vector.Bytes(*want.Hex)
		if got, ok := call.result.([]byte); err == nil && (!ok || !bytes.Equal(got, expected)) {
			err = fmt.Errorf("%s is a %T of %.60v, not %.60s", want.Of, call.result, call.result, *want.Hex)
		}
		return err
	case want.Depth > 0:
		return checkDepth(call.result, want.Depth)
	case want.None:
		return differ(nil, call.result, want.Of, vector.Exactly)
	case want.Part != nil:
		return differ(want.Part, call.result, want.Of, vector.Partly)
	case want.Value == nil:
		return errors.New("expected value, part, hex, depth, none or error")
	}
	var value any
	if err := json.Unmarshal(want.Value, &value); err != nil {
		return err
	}
	return differ(value, call.result, want.Of, vector.Exactly)
}

func checkDepth(value any, depth int) error {
	for level := range depth {
		list, ok := value.([]any)
		if !ok {
			return fmt.Errorf("expected %d levels of lists, got %d", depth, level)
		}
		value = nil
		if len(list) == 1 {
			value = list[0]
		}
	}
	return differ(nil, value, "innermost", vector.Exactly)
}

func differ(want, value any, path string, mode vector.Mode) error {
	text, err := json.Marshal(value) // integers of MessagePack, and []byte, become what JSON has
	if err != nil {
		return err
	}
	var generic any
	if err := json.Unmarshal(text, &generic); err != nil {
		return err
	}
	if difference := vector.Differs(want, generic, path, mode); difference != "" {
		return errors.New(difference)
	}
	return nil
}

func checkError(what string, want map[string]any, err error) error {
	var e *rootbridge.Error
	switch {
	case err == nil:
		return fmt.Errorf("%s: expected the error %v, got none", what, want)
	case want == nil || !errors.As(err, &e):
		return fmt.Errorf("%s: %w", what, err)
	}
	object := errorObject(e)
	object["stderr"] = e.Stderr
	return differ(want, object, what, vector.Partly)
}

func errorObject(e *rootbridge.Error) map[string]any {
	object := map[string]any{"code": e.Code, "message": e.Message}
	if e.Name != "" {
		object["name"] = e.Name
	}
	if e.Stack != "" {
		object["stack"] = e.Stack
	}
	if e.Cause != nil {
		object["cause"] = errorObject(e.Cause)
	}
	var each []any
	for _, one := range e.Errors {
		each = append(each, errorObject(one))
	}
	maps.Copy(object, map[string]any{"errors": each, "fields": e.Fields, "value": e.Value})
	return object
}

func (p *hostPlay) cancel(step json.RawMessage) error {
	var name string
	if err := json.Unmarshal(step, &name); err != nil {
		return err
	}
	call, ok := p.calls[name]
	if !ok {
		return fmt.Errorf("no call is named %q", name)
	}
	call.cancel()
	return nil
}

func (p *hostPlay) methods(step json.RawMessage) error {
	var want any
	if err := json.Unmarshal(step, &want); err != nil {
		return err
	}
	return differ(want, append([]string{}, p.host.Methods()...), "methods", vector.Exactly)
}

func (p *hostPlay) log(step json.RawMessage) error {
	var want map[string]any
	if err := json.Unmarshal(step, &want); err != nil {
		return err
	}
	return p.logs.await(want)
}

func (p *hostPlay) counts(step json.RawMessage) error {
	var want struct {
		LateReplies *uint64 `json:"late_replies"`
	}
	if err := vector.Unmarshal(step, &want); err != nil {
		return err
	}
	if got := p.host.Stats().LateReplies; want.LateReplies == nil || got != *want.LateReplies {
		return fmt.Errorf("%d late replies were counted", got)
	}
	return nil
}
