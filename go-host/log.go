package rootbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"rootbridge/internal/frame"
)

const (
	// logQueue is how many lines of workers may wait for a slow logger, and ownQueue how many of the host's own beside them.
	// Beyond it lines are dropped and counted: a logger must not stop the calls.
	logQueue = 1024
	ownQueue = 256
	// logBytes is how many bytes the lines of workers may have together.
	logBytes = 4 << 20
	// lastLines is how long a host that has ended otherwise waits for its logger to take what is left.
	lastLines = time.Second
)

// logPump hands all lines, the workers' and the host's own, to the logger from a goroutine of its own, in order.
type logPump struct {
	logger  *slog.Logger // of the user
	lines   chan logLine
	bytes   atomic.Int64 // of the lines that wait
	dropped atomic.Uint64
	ending  chan struct{}
	ended   atomic.Bool // what is left is given up
	done    chan struct{}
}

// logLine is a record and the handler, with its attributes and groups, that takes it.
type logLine struct {
	handler slog.Handler
	record  slog.Record
	size    int           // in bytes, of a worker's line
	passed  chan struct{} // closed when the pump gets to it, of a mark that is no record
}

func newLogPump(logger *slog.Logger) *logPump {
	p := &logPump{
		logger: logger, lines: make(chan logLine, logQueue+ownQueue), ending: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run()
	return p
}

func (p *logPump) run() {
	defer close(p.done)
	var reported uint64
	for {
		select {
		case line := <-p.lines:
			reported = p.hand(line, reported)
			continue
		default:
		}
		select {
		case line := <-p.lines:
			reported = p.hand(line, reported)
		case <-p.ending:
			return
		}
	}
}

// hand gives a line to the logger, and then says how many were lost, when there is time for it.
func (p *logPump) hand(line logLine, reported uint64) uint64 {
	if line.passed != nil {
		close(line.passed)
		return reported
	}
	p.bytes.Add(int64(-line.size))
	if p.ended.Load() {
		p.dropped.Add(1)
		return reported
	}
	_ = line.handler.Handle(context.Background(), line.record) // slog ignores it, too
	dropped := p.dropped.Load()
	if dropped == reported || len(p.lines) > 0 {
		return reported
	}
	p.logger.Warn("log lines were dropped: the logger was slower than they came", "lines", dropped-reported)
	return dropped
}

// close returns when every line has been handed over, or when the logger takes too long for that. Later lines are lost.
func (p *logPump) close() {
	close(p.ending)
	timer := time.NewTimer(lastLines)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.ended.Store(true)
	}
}

// flush returns when the logger has taken every line that is there, or no more are taken.
func (p *logPump) flush(ctx context.Context) error {
	mark := logLine{passed: make(chan struct{})}
	select {
	case p.lines <- mark:
	case <-p.done:
		return nil
	case <-ctx.Done():
		return contextError(ctx, "the logger had not taken every line")
	}
	select {
	case <-mark.passed:
	case <-p.done:
	case <-ctx.Done():
		return contextError(ctx, "the logger had not taken every line")
	}
	return nil
}

// add takes a line if fewer than most wait.
func (p *logPump) add(line logLine, most int) {
	if p.bytes.Add(int64(line.size)) <= logBytes && len(p.lines) < most {
		select {
		case p.lines <- line:
			return
		default:
		}
	}
	p.bytes.Add(int64(-line.size))
	p.dropped.Add(1)
}

// queuedHandler is the host's own way to the logger: it never waits.
type queuedHandler struct {
	slog.Handler
	pump *logPump
}

// Handle leaves the record to the pump.
func (q queuedHandler) Handle(_ context.Context, record slog.Record) error {
	q.pump.add(logLine{handler: q.Handler, record: record.Clone()}, logQueue+ownQueue)
	return nil
}

// WithAttrs keeps the pump.
func (q queuedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return queuedHandler{q.Handler.WithAttrs(attrs), q.pump}
}

// WithGroup keeps the pump.
func (q queuedHandler) WithGroup(name string) slog.Handler {
	return queuedHandler{q.Handler.WithGroup(name), q.pump}
}

// own returns the logger for what the host itself says.
func (p *logPump) own() *slog.Logger { return slog.New(queuedHandler{p.logger.Handler(), p}) }

// line queues what a worker said.
func (p *logPump) line(level slog.Level, text string, size int, attrs ...slog.Attr) {
	record := slog.NewRecord(time.Now(), level, text, 0)
	record.AddAttrs(attrs...)
	p.add(logLine{handler: p.logger.Handler(), record: record, size: size}, logQueue)
}

// frame logs a log frame.
func (p *logPump) frame(pid int, meta frame.LogMeta, encoding frame.Encoding, payload []byte) {
	level := slogLevel(meta.Level)
	if !p.logger.Enabled(context.Background(), level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 5), slog.Int("worker", pid))
	for _, attr := range []slog.Attr{
		slog.String("source", meta.Source), slog.String("method", meta.Method), slog.String("trace_id", meta.TraceID),
	} {
		if attr.Value.String() != "" {
			attrs = append(attrs, attr)
		}
	}
	payload = payload[:min(len(payload), frame.MaxLog)]
	fields, ok := parseLogObject(encoding, payload)
	if !ok {
		p.line(level, string(bytes.ToValidUTF8(payload, []byte("\uFFFD"))), len(payload), attrs...)
		return
	}
	text, isText := fields["msg"].(string)
	if isText { // what is no text stays a field
		delete(fields, "msg")
	}
	p.line(level, text, len(payload), append(attrs, slog.Any("fields", fields))...)
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

// Enabled takes a panic for a yes.
func (g guardedHandler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() {
		if recover() != nil {
			enabled = true
		}
	}()
	return g.Handler.Enabled(ctx, level)
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
	if !p.logger.Enabled(context.Background(), level) {
		return
	}
	p.line(level, string(bytes.ToValidUTF8(line, []byte("\uFFFD"))), len(line), slog.Int("worker", pid), slog.String("source", source))
}
