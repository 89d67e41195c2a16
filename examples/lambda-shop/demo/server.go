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

// server is lambda-shop, running as a process of its own, and the log that it writes.
type server struct {
	url     string
	process *exec.Cmd
	ended   chan struct{} // closed at the log's end

	mu  sync.Mutex // guards log
	log []record
}

// record is one line of the JSON log.
type record map[string]any

func (r record) text(key string) string {
	text, _ := r[key].(string)
	return text
}

func startServer(ctx context.Context, program string) (*server, error) {
	process := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-timeout", "1500ms", "-retry", "200ms", "-json") //nolint:gosec // its one argument is the program to start
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) }
	process.WaitDelay = 15 * time.Second
	stderr, err := process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	s := &server{process: process, ended: make(chan struct{})}
	listening := make(chan string, 1)
	go s.read(stderr, listening)
	select {
	case s.url = <-listening:
		return s, nil
	case <-s.ended:
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("it ended: %w; it said:\n%s", s.stop(), s.everything())
}

func (s *server) read(stderr io.Reader, listening chan<- string) {
	defer close(s.ended)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r := record{}
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			r = record{"msg": lines.Text()}
		}
		s.mu.Lock()
		s.log = append(s.log, r)
		s.mu.Unlock()
		if r.text("msg") == "listening" {
			listening <- r.text("url")
		}
	}
}

// logged returns the lines that match.
func (s *server) logged(match func(record) bool) []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []record{}
	for _, r := range s.log {
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

func (s *server) everything() string {
	var text strings.Builder
	for _, r := range s.logged(func(record) bool { return true }) {
		fmt.Fprintln(&text, r["level"], r["msg"], r["error"])
	}
	return text.String()
}

// stop asks the server to end, as Ctrl-C or an orchestrator would, and waits until it has.
func (s *server) stop() error {
	if err := s.process.Cancel(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended // Wait closes the pipe: read it first
	return s.process.Wait()
}

// alive says whether there still is a process of this id.
func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}
