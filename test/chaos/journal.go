package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// journal keeps the last of what happened to a host: what the storm did, and what the host has logged.
//
// Law: mu guards all fields but began and slow.
type journal struct {
	began time.Time
	slow  time.Duration // for so long each line of the host's log holds up whoever logs it

	mu    sync.Mutex
	lines []string
}

// kept is how many lines a journal keeps, and keptTime for how long a violation wants them.
const kept = 120

// note writes down what the harness does. It goes to w too, which outlives this process.
func (j *journal) note(w io.Writer, format string, args ...any) {
	line := fmt.Sprintf("%8.3f  %s", time.Since(j.began).Seconds(), fmt.Sprintf(format, args...))
	j.add(line)
	_, _ = fmt.Fprintln(w, line)
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) >= kept {
		j.lines = slices.Delete(j.lines, 0, len(j.lines)-kept+1)
	}
	j.lines = append(j.lines, line)
}

func (j *journal) last() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// logger is for Options.Logger.
func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(hostLog{j}, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
}

func withoutTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
}

// hostLog is where a host's log goes.
type hostLog struct{ *journal }

const longestLine = 400

// Write takes one line.
func (l hostLog) Write(line []byte) (int, error) {
	time.Sleep(l.slow)
	text := bytes.TrimSpace(line)
	if !bytes.Contains(text, []byte("source=")) { // what functions print says nothing
		l.add(fmt.Sprintf("%8.3f    host: %s", time.Since(l.began).Seconds(), text[:min(len(text), longestLine)]))
	}
	return len(line), nil
}
