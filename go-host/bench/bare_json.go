package main

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
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
		l, err := startLoop(ctx, file, callers, poll)
		b := &bareJSON{loop: l, library: library, encoders: make([]encoder, callers)}
		for i := range b.encoders {
			buffer := new(bytes.Buffer)
			b.encoders[i] = encoder{buffer, json.NewEncoder(buffer)}
			b.encoders[i].SetEscapeHTML(false)
		}
		return b, err
	}
}

func (b *bareJSON) Call(_ context.Context, caller int, _ string, in, out any) error {
	text, err := b.encode(caller, in)
	if err != nil {
		return err
	}
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
