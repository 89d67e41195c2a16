package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// crew runs trials at the same time, each in a process of its own, and adds up what they report.
//
// Law: mu guards reports.
type crew struct {
	seed  uint64
	size  int
	time  time.Duration
	scale scale
	log   io.Writer // gets what trials do as they do it, if not nil

	mu      sync.Mutex
	reports []report // the last of each trial
}

// grace is how long a trial may take to end when its time is over: to recover, to close, to look for what is left.
const grace = healBound + closeBound + leaveBound + reloadBound

// run returns when all trials have ended.
func (c *crew) run(ctx context.Context) (report, error) {
	var running sync.WaitGroup
	errs := make([]error, c.size)
	c.reports = make([]report, c.size)
	for i := range c.size {
		running.Go(func() { errs[i] = c.runOne(ctx, i) })
	}
	running.Wait()
	return c.sum(), errors.Join(errs...)
}

// sum adds up what there is so far.
func (c *crew) sum() report {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := newReport()
	for _, r := range c.reports {
		sum.add(r)
	}
	return sum
}

// runOne runs one trial in a folder of its own. Its error is one of the harness; what a trial finds is in its report.
func (c *crew) runOne(ctx context.Context, i int) error {
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &trial{Seed: c.seed + uint64(i), Time: c.time, Scale: c.scale, Dir: dir, Mark: rand.Text()} //nolint:gosec // counts from 0
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		return err
	}
	if err := mountSmall(disk); err != nil {
		t.SmallDisk = fmt.Sprintf("can't mount a small disk: %v", err)
	} else {
		defer unmount(disk) //nolint:errcheck // a folder that is still mounted is in nobody's way
	}
	for _, scratch := range t.scratch() {
		if err := os.Mkdir(scratch, 0o700); err != nil {
			return err
		}
	}
	return c.attend(ctx, i, t)
}

// attend starts a trial's process and reads its reports to the end.
func (c *crew) attend(ctx context.Context, i int, t *trial) error {
	ctx, cancel := context.WithTimeout(ctx, t.Time+grace)
	defer cancel()
	cmd, err := t.command(ctx)
	if err != nil {
		return err
	}
	var told tail
	cmd.Stderr = &told
	if c.log != nil {
		cmd.Stderr = io.MultiWriter(&told, c.log)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	last := c.listen(stdout, i)
	err = cmd.Wait()
	if pids, commands := markedProcesses(t.Mark); len(pids) > 0 {
		err = errors.Join(err, fmt.Errorf("it left %s", strings.Join(commands, ", ")))
		for _, pid := range pids {
			_ = send(pid, sigKill)
		}
	}
	if err != nil {
		last.Violations = append(last.Violations, violation{
			Seed: t.Seed, Life: int(last.Lives), What: fmt.Sprintf("the trial's process ended with %v", err), Log: told.lines(), //nolint:gosec // a count
		})
		c.keep(i, last)
	}
	return nil
}

// command is this program as a trial. When the context ends it says where it stands, and dies.
func (t *trial) command(ctx context.Context) (*exec.Cmd, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Cancel = func() error { return cmd.Process.Signal(sigQuit) }
	cmd.WaitDelay = 5 * time.Second
	scratch := t.scratch()
	cmd.Env = append(os.Environ(), trialVariable+"="+string(text), "XDG_CACHE_HOME="+scratch[0], "TMPDIR="+scratch[1], "NODE_COMPILE_CACHE=", "GOTRACEBACK=all")
	return cmd, nil
}

// listen reads reports until the process says no more, and returns the last.
func (c *crew) listen(stdout io.Reader, i int) report {
	last := newReport()
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return last
		}
		next := newReport()
		if json.Unmarshal(line, &next) == nil {
			last = next
			c.keep(i, last)
		}
	}
}

func (c *crew) keep(i int, r report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports[i] = r
}

// tail keeps the last of what a trial writes to its stderr. One goroutine writes, and reads when that has ended.
type tail struct{ bytes.Buffer }

const tailBytes = 256 << 10

// Write keeps at most twice tailBytes.
func (t *tail) Write(p []byte) (int, error) {
	if t.Len() > tailBytes {
		t.Next(t.Len() - tailBytes)
	}
	return t.Buffer.Write(p)
}

func (t *tail) lines() []string { return strings.Split(strings.TrimSpace(t.String()), "\n") }
