package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is the storefront, running as a process of its own, and the log that it writes.
type server struct {
	url     string
	process *exec.Cmd
	log     *serverLog
}

// record is one line of a JSON log.
type record map[string]any

func (r record) text(key string) string {
	text, _ := r[key].(string)
	return text
}

func startServer(ctx context.Context, program string) (*server, error) {
	process := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-json") //nolint:gosec // its one argument is the program to start
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) }
	process.WaitDelay = 15 * time.Second
	stderr, err := process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	log := newServerLog(stderr)
	started, err := log.wait(ctx, func(r record) bool { return r.text("msg") == "listening" })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w; it said:\n%s", err, log.all()), process.Cancel(), process.Wait())
	}
	return &server{url: started.text("url"), process: process, log: log}, nil
}

// stop asks the server to end, as Ctrl-C or an orchestrator would, and waits until it has.
func (s *server) stop() error {
	if err := s.process.Cancel(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.log.ended // Wait closes the pipe: read it first
	return s.process.Wait()
}

// alive says whether there still is a process of this id.
func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}

// serverLog keeps what the server has logged.
type serverLog struct {
	ended chan struct{} // closed at the log's end

	mu      sync.Mutex // guards what follows
	records []record
	grown   chan struct{} // closed and replaced at every record
}

func newServerLog(stderr io.Reader) *serverLog {
	log := &serverLog{ended: make(chan struct{}), grown: make(chan struct{})}
	go log.read(stderr)
	return log
}

func (l *serverLog) read(stderr io.Reader) {
	defer close(l.ended)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r := record{}
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			r = record{"msg": lines.Text()}
		}
		l.mu.Lock()
		l.records = append(l.records, r)
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
	}
}

// wait returns the first record that matches, now or later.
func (l *serverLog) wait(ctx context.Context, match func(record) bool) (record, error) {
	for {
		ended := isClosed(l.ended)
		l.mu.Lock()
		grown := l.grown
		l.mu.Unlock()
		if found := l.find(match); len(found) > 0 {
			return found[0], nil
		}
		if ended {
			return nil, errors.New("the server ended")
		}
		select {
		case <-grown:
		case <-l.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *serverLog) find(match func(record) bool) []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []record
	for _, r := range l.records {
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

func (l *serverLog) all() string {
	var text strings.Builder
	for _, r := range l.find(func(record) bool { return true }) {
		fmt.Fprintln(&text, r["level"], r["msg"], r["error"])
	}
	return text.String()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
