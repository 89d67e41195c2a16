package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// ndjson is lines of JSON with ids over stdin and stdout, as people write it by hand: a lock around the write, a goroutine
// that reads, a map of who waits.
//
// Law: writing is held by whoever writes; mu guards what is below it.
type ndjson struct {
	*node
	library library
	writing sync.Mutex

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan ndAnswer
}

type ndRequest struct {
	ID       uint64 `json:"id"`
	Method   string `json:"method"`
	Argument any    `json:"argument"`
}

type ndAnswer struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

func startNDJSON(library library) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, _ int) (contender, error) {
		n, err := startNode(ctx, nil, "ndjson.cjs")
		if err != nil {
			return nil, err
		}
		l := &ndjson{node: n, library: library, waiting: map[uint64]chan ndAnswer{}}
		go l.read()
		return l, nil
	}
}

func (l *ndjson) Call(_ context.Context, _ int, method string, in, out any) error {
	done := make(chan ndAnswer, 1)
	l.mu.Lock()
	l.lastID++
	id := l.lastID
	l.waiting[id] = done
	l.mu.Unlock()
	text, err := l.library.Marshal(ndRequest{id, method, in})
	if err != nil {
		return err
	}
	if err := l.write(append(text, '\n')); err != nil {
		return err
	}
	answer := <-done
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return l.library.Unmarshal(answer.Result, out)
}

func (l *ndjson) write(line []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err := l.in.Write(line)
	return err
}

func (l *ndjson) read() {
	reader := bufio.NewReaderSize(l.out, 64<<10)
	for {
		line, err := reader.ReadBytes('\n')
		var answer ndAnswer
		if err == nil {
			err = l.library.Unmarshal(bytes.TrimSpace(line), &answer)
		}
		if err != nil {
			l.fail(err)
			return
		}
		l.mu.Lock()
		done := l.waiting[answer.ID]
		delete(l.waiting, answer.ID)
		l.mu.Unlock()
		done <- answer
	}
}

func (l *ndjson) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, done := range l.waiting {
		done <- ndAnswer{Error: fmt.Sprintf("the process has ended: %v", err)}
	}
}
