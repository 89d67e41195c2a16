package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A child is this program again, with one contender: so none pays for another's memory, and each has its own heap. It is
// told on stdin, a line for each measurement, what to measure, and answers with a line of figures.

// task is what a child is told.
type task struct {
	Work     string        `json:"work"`
	Duration time.Duration `json:"duration"`
}

// answer is what it says.
type answer struct {
	figures
	Error string `json:"error,omitempty"`
}

// serveChild starts the contender and measures until the end of stdin.
func serveChild(ctx context.Context, name string, callers int) error {
	m, err := makerOf(name)
	if err != nil {
		return err
	}
	c, err := m.start(ctx, callers)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	warm := map[string]bool{}
	tasks, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var t task
		if err := tasks.Decode(&t); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		a := answer{}
		if !warm[t.Work] {
			a = warmUp(ctx, c, t, callers)
			warm[t.Work] = true
		}
		if a.Error == "" {
			a = answerTo(ctx, c, t, callers)
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

const (
	// warmCalls is so many that V8 has compiled what each of them runs.
	warmCalls = 20_000
	// warmRounds bounds the time for them, as rounds of measuring.
	warmRounds = 5
	// warmRate is the rate below which the work takes the time, not what is between it and the caller: calls per second.
	warmRate = 2_000
)

// warmUp lets V8 compile what runs often. With one caller that takes longer than a round.
func warmUp(ctx context.Context, c contender, t task, callers int) answer {
	a := answerTo(ctx, c, t, callers)
	for calls, round := a.Calls, 1; a.Error == "" && calls < warmCalls && a.Rate > warmRate && round < warmRounds; round++ {
		a = answerTo(ctx, c, t, callers)
		calls += a.Calls
	}
	return a
}

func answerTo(ctx context.Context, c contender, t task, callers int) answer {
	w, err := workOf(t.Work)
	if err != nil {
		return answer{Error: err.Error()}
	}
	f, err := measure(ctx, c, w, callers, t.Duration)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{figures: f}
}

// child is the parent's side.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
}

func startChild(ctx context.Context, name string, callers int, profiles string) (*child, error) {
	cmd := command(ctx, os.Args[0], "contend", name, "--callers", strconv.Itoa(callers), "--profile", profiles)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	interrupted(cmd)
	return &child{cmd, in, json.NewDecoder(bufio.NewReader(out))}, cmd.Start()
}

// command is a process that only this one interrupts: one that a terminal's Ctrl-C reached as well would be an error before
// this one knows why.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = ownGroup()
	return cmd
}

// interrupted has a child end as this process, so that it removes what it has made.
func interrupted(cmd *exec.Cmd) {
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 10*time.Second
}

func (c *child) measure(t task) (figures, error) {
	if err := json.NewEncoder(c.in).Encode(t); err != nil {
		return figures{}, err
	}
	var a answer
	if err := c.answers.Decode(&a); err != nil {
		return figures{}, fmt.Errorf("it has ended: %w", err)
	}
	if a.Error != "" {
		return figures{}, fmt.Errorf("%s", a.Error)
	}
	return a.figures, nil
}

func (c *child) close() error {
	_ = c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(c.cmd.Args[1:], " "), err)
	}
	return nil
}
