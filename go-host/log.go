package rootbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"

	"rootbridge/internal/frame"
)

// logQueue is how many lines may wait for a slow logger. Beyond it lines are dropped and counted: a logger must not stop
// the calls.
const logQueue = 1024

// logBytes is how many bytes those lines may have together.
const logBytes = 4 << 20

// logPump hands the workers' lines to the logger from a goroutine of its own.
type logPump struct {
	logger  *slog.Logger
	lines   chan logLine
	bytes   atomic.Int64 // of the lines that wait
	dropped atomic.Uint64
	done    chan struct{}
}

// logLine is one line that a worker printed.
type logLine struct {
	level slog.Level
	text  string
	attrs [5]slog.Attr
	count int // of attrs
	size  int // about its bytes
}

func newLogPump(logger *slog.Logger) *logPump {
	p := &logPump{logger: logger, lines: make(chan logLine, logQueue), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *logPump) run() {
	defer close(p.done)
	var reported uint64
	for line := range p.lines {
		p.bytes.Add(int64(-line.size))
		p.logger.LogAttrs(context.Background(), line.level, line.text, line.attrs[:line.count]...)
		if dropped := p.dropped.Load(); dropped > reported && len(p.lines) == 0 {
			p.logger.Warn("log lines of workers were dropped: the logger was slower than they came", "lines", dropped-reported)
			reported = dropped
		}
	}
}

// close returns when every line has been logged. No method may be called after it.
func (p *logPump) close() {
	close(p.lines)
	<-p.done
}

func (p *logPump) add(line logLine) {
	if p.bytes.Add(int64(line.size)) <= logBytes {
		select {
		case p.lines <- line:
			return
		default:
		}
	}
	p.bytes.Add(int64(-line.size))
	p.dropped.Add(1)
}

func (l *logLine) with(attr slog.Attr) {
	l.attrs[l.count] = attr
	l.count++
}

// frame logs a log frame.
func (p *logPump) frame(pid int, meta frame.LogMeta, encoding frame.Encoding, payload []byte) {
	line := logLine{level: slogLevel(meta.Level)}
	if !p.logger.Enabled(context.Background(), line.level) {
		return
	}
	line.with(slog.Int("worker", pid))
	for _, attr := range []slog.Attr{
		slog.String("source", meta.Source), slog.String("method", meta.Method), slog.String("trace_id", meta.TraceID),
	} {
		if attr.Value.String() != "" {
			line.with(attr)
		}
	}
	payload = payload[:min(len(payload), frame.MaxLog)]
	line.size = len(payload)
	if fields, ok := parseLogObject(encoding, payload); ok {
		if text, ok := fields["msg"].(string); ok { // what is no text stays a field
			line.text = text
			delete(fields, "msg")
		}
		line.with(slog.Any("fields", fields))
	} else {
		line.text = string(bytes.ToValidUTF8(payload, []byte("\uFFFD")))
	}
	p.add(line)
}

// parseLogObject reads a line of a JSON logger, less what the host's logger says better.
func parseLogObject(encoding frame.Encoding, payload []byte) (map[string]any, bool) {
	if encoding != frame.JSON {
		return nil, false
	}
	var fields map[string]any
	if json.Unmarshal(payload, &fields) != nil || fields == nil {
		return nil, false
	}
	if message, ok := fields["message"].(string); ok && fields["msg"] == nil {
		fields["msg"] = message
		delete(fields, "message")
	}
	for _, key := range []string{"level", "time", "pid", "hostname"} {
		delete(fields, key)
	}
	return fields, true
}

// guardedHandler survives a handler of the user's that panics: it is called where the user can't recover.
type guardedHandler struct{ slog.Handler }

// Handle turns a panic into an error, which slog ignores.
func (g guardedHandler) Handle(ctx context.Context, record slog.Record) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the logger panicked: %v", panicked)
		}
	}()
	return g.Handler.Handle(ctx, record)
}

// WithAttrs keeps the guard.
func (g guardedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return guardedHandler{g.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the guard.
func (g guardedHandler) WithGroup(name string) slog.Handler {
	return guardedHandler{g.Handler.WithGroup(name)}
}

func slogLevel(level string) slog.Level {
	switch level {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// stderr logs a line of a worker's stderr: what native code, children and Node itself print.
func (p *logPump) stderr(pid int, line []byte) { p.raw(pid, slog.LevelWarn, "stderr", line) }

// printed logs a line that was printed on stdout before the worker took it over.
func (p *logPump) printed(pid int, line []byte) { p.raw(pid, slog.LevelInfo, "stdout", line) }

func (p *logPump) raw(pid int, level slog.Level, source string, line []byte) {
	l := logLine{level: level, size: len(line), text: string(bytes.ToValidUTF8(line, []byte("\uFFFD")))}
	l.with(slog.Int("worker", pid))
	l.with(slog.String("source", source))
	p.add(l)
}
