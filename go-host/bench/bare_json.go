package main

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"rootbridge"
)

// bareJSON is the loop with JSON on both sides: typed code in Go, parse and stringify in Node. No function is called.
type bareJSON struct {
	*loop
	library  library
	encoders []encoder // of each caller
}

// encoder is encoding/json's with its buffer kept.
type encoder struct {
	buffer *bytes.Buffer
	*json.Encoder
}

// defaultPoll is Rootbridge's Options.BusyPoll.
const defaultPoll = 100 * time.Microsecond

func startBareJSON(file string, library library, poll time.Duration) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, callers int) (contender, error) {
		l, err := startLoop(ctx, file, callers, poll, roomFor)
		return newBareJSON(l, library, callers), err
	}
}

func newBareJSON(l *loop, library library, callers int) *bareJSON {
	b := &bareJSON{loop: l, library: library, encoders: make([]encoder, callers)}
	for i := range b.encoders {
		buffer := new(bytes.Buffer)
		b.encoders[i] = encoder{buffer, json.NewEncoder(buffer)}
		b.encoders[i].SetEscapeHTML(false)
	}
	return b
}

// tracedJSON has a trace id of its own before each call, from a context as Rootbridge's are.
type tracedJSON struct {
	*bareJSON
	ids traceIDs
}

func startTracedJSON(ctx context.Context, callers int) (contender, error) {
	l, err := startLoop(ctx, "bare-json-traced.cjs", callers, 0, roomFor)
	return &tracedJSON{newBareJSON(l, standardJSON, callers), make(traceIDs, callers)}, err
}

func (t *tracedJSON) Call(ctx context.Context, caller int, _ string, in, out any) error {
	ctx = rootbridge.ContextWithTraceID(ctx, t.ids.next(caller))
	e := t.encoders[caller]
	e.buffer.Reset()
	_, _ = e.buffer.WriteString(rootbridge.TraceID(ctx))
	if err := e.Encode(in); err != nil {
		return err
	}
	return t.call(caller, e.buffer.Bytes(), out)
}

func (b *bareJSON) Call(_ context.Context, caller int, _ string, in, out any) error {
	text, err := b.encode(caller, in)
	if err != nil {
		return err
	}
	return b.call(caller, text, out)
}

func (b *bareJSON) call(caller int, text []byte, out any) error {
	answer, err := b.exchange(caller, text)
	if err != nil {
		return err
	}
	return b.library.Unmarshal(answer, out)
}

func (b *bareJSON) encode(caller int, in any) ([]byte, error) {
	if b.library.isOther {
		return b.library.Marshal(in)
	}
	e := b.encoders[caller]
	e.buffer.Reset()
	err := e.Encode(in)
	return e.buffer.Bytes(), err
}
