package rootbridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"rootbridge/internal/vector"
)

// logRecords keeps what a host logs, as objects with level, text and the attributes.
//
// Law: mu guards records and changed, which is closed and replaced with each record.
type logRecords struct {
	mu      sync.Mutex
	records []map[string]any
	changed chan struct{}
}

func newLogRecords() *logRecords { return &logRecords{changed: make(chan struct{})} }

func (l *logRecords) Enabled(context.Context, slog.Level) bool { return true }
func (l *logRecords) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logRecords) WithGroup(string) slog.Handler            { return l }

func (l *logRecords) Handle(_ context.Context, r slog.Record) error {
	record := map[string]any{"level": strings.ToLower(r.Level.String()), "text": r.Message}
	r.Attrs(func(a slog.Attr) bool {
		record[a.Key] = a.Value.Resolve().Any()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, record)
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// await waits for a record with these attributes at least.
func (l *logRecords) await(want map[string]any) error {
	timeout := time.After(long)
	for seen := 0; ; {
		l.mu.Lock()
		fresh, changed := l.records[seen:], l.changed
		seen = len(l.records)
		l.mu.Unlock()
		for _, record := range fresh {
			if differ(want, record, "log", vector.Partly) == nil {
				return nil
			}
		}
		select {
		case <-changed:
		case <-timeout:
			return fmt.Errorf("no such log line: %v", want)
		}
	}
}
