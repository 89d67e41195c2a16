package rootbridge

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"rootbridge/internal/frame"
	"rootbridge/internal/vector"
)

// inbox keeps what a worker has written, frames or lines, until a script asks for it. Log frames have an order of their
// own, because no rule says when a worker must send them.
//
// Law: mu guards everything but done.
type inbox struct {
	done chan struct{} // closed when everything has been read

	mu      sync.Mutex
	changed *sync.Cond
	frames  []frame.Frame
	logs    []frame.Frame
	lines   []string
	ended   bool
	err     error // what came is no frame
}

func newInbox() *inbox {
	i := &inbox{done: make(chan struct{})}
	i.changed = sync.NewCond(&i.mu)
	return i
}

// readAll reads frames or lines, which the first byte tells, and closes the pipe.
func (i *inbox) readAll(stdout *os.File) {
	defer close(i.done)
	source := bufio.NewReaderSize(stdout, 64<<10)
	var err error
	if first, _ := source.Peek(1); bytes.Equal(first, []byte{frame.Magic[0]}) {
		err = i.readFrames(source)
	} else {
		err = i.readLines(source)
	}
	i.add(func() {
		i.ended = true
		if !errors.Is(err, io.EOF) {
			i.err = err
		}
	})
	_ = stdout.Close()
}

func (i *inbox) readFrames(source io.Reader) error {
	reader := frame.NewReader(source, 64<<20)
	for {
		f, err := reader.Next()
		if err != nil {
			return err
		}
		f.Meta = bytes.Clone(f.Meta)
		i.add(func() {
			if f.Kind == frame.Log {
				i.logs = append(i.logs, f)
			} else {
				i.frames = append(i.frames, f)
			}
		})
	}
}

func (i *inbox) readLines(source *bufio.Reader) error {
	for {
		line, err := source.ReadString('\n')
		if err != nil && line != "" {
			return fmt.Errorf("a line without its end: %.100s", line)
		}
		if err != nil {
			return err
		}
		i.add(func() { i.lines = append(i.lines, strings.TrimSuffix(line, "\n")) })
	}
}

func (i *inbox) add(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
	i.changed.Broadcast()
}

// await waits until there is what a script asks for, or nothing more can come.
func (i *inbox) await(there func() bool) bool {
	for !there() {
		if i.ended {
			return false
		}
		i.changed.Wait()
	}
	return true
}

// next takes the next frame that is no log.
func (i *inbox) next() (frame.Frame, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.await(func() bool { return len(i.frames) > 0 }) {
		return frame.Frame{}, false
	}
	f := i.frames[0]
	i.frames = i.frames[1:]
	return f, true
}

func (i *inbox) nextLine() (string, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.await(func() bool { return len(i.lines) > 0 }) {
		return "", false
	}
	line := i.lines[0]
	i.lines = i.lines[1:]
	return line, true
}

func (i *inbox) broken() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// takeLog takes a log frame that matches, among those that came and those that will.
func (i *inbox) takeLog(pattern *framePattern) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	at := -1
	found := func() bool {
		for at = len(i.logs) - 1; at >= 0; at-- {
			if pattern.differs(i.logs[at]) == "" {
				return true
			}
		}
		return false
	}
	if !i.await(found) {
		var seen strings.Builder
		for _, f := range i.logs {
			seen.WriteString("\n" + describeFrame(f))
		}
		return fmt.Errorf("no such log line; there were:%s", seen.String())
	}
	i.logs = append(i.logs[:at], i.logs[at+1:]...)
	return nil
}

// expect waits for frames, in any order among themselves.
func (i *inbox) expect(texts []json.RawMessage) error {
	var open []*framePattern
	for _, text := range texts {
		pattern := &framePattern{text: string(text)}
		if err := vector.Unmarshal(text, pattern); err != nil {
			return err
		}
		open = append(open, pattern)
	}
	for len(open) > 0 {
		if open[0].Kind == "log" {
			if err := i.takeLog(open[0]); err != nil {
				return err
			}
			open = open[1:]
			continue
		}
		f, ok := i.next()
		if !ok {
			return fmt.Errorf("the stream ended (%w); expected %s", cmp.Or(i.broken(), io.EOF), open[0].text)
		}
		var err error
		if open, err = takeMatch(open, f); err != nil {
			return err
		}
	}
	return nil
}

func takeMatch(open []*framePattern, f frame.Frame) ([]*framePattern, error) {
	var differences strings.Builder
	for at, pattern := range open {
		difference := pattern.differs(f)
		if difference == "" {
			return append(open[:at], open[at+1:]...), nil
		}
		fmt.Fprintf(&differences, "\nexpected %s: %s", pattern.text, difference)
	}
	return nil, fmt.Errorf("got %s%s", describeFrame(f), differences.String())
}
