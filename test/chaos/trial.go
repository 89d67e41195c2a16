package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"rootbridge"
)

// trial is a process that starts and closes one host after the other, until its time is over. Its parent tells it what is
// exported, and reads its reports.
//
// Law: mu guards report. disk, descriptors and processes are held by the fault that takes these.
type trial struct {
	Seed      uint64        `json:"seed"`
	Time      time.Duration `json:"time"`
	Scale     scale         `json:"scale"`
	Dir       string        `json:"dir"`
	Mark      string        `json:"mark"`
	SmallDisk string        `json:"small_disk"` // why it has none, or ""

	until                        time.Time
	disk, descriptors, processes sync.Mutex

	mu     sync.Mutex
	report report
}

// trialVariable is the environment variable that makes this program a trial.
const trialVariable = "CHAOS_TRIAL"

// mostFiles is how many files a trial may have open: so few that taking them all is quick.
const mostFiles = 512

// runTrial is the main function of a trial. It returns false in any other process.
func runTrial() bool {
	text := os.Getenv(trialVariable)
	if text == "" {
		return false
	}
	t := &trial{report: newReport()}
	if err := t.prepare(text); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { t.tellUntil(stop) })
	for number := 0; !t.isOver(); number++ {
		life, err := newLife(t, number)
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		life.run()
		t.lived()
	}
	close(stop)
	telling.Wait()
	return true
}

func (t *trial) prepare(text string) error {
	if err := json.Unmarshal([]byte(text), t); err != nil {
		return err
	}
	t.until = time.Now().Add(t.Time)
	signal.Notify(make(chan os.Signal, 1), sigAsk) // which would end a process that has no host just now
	if err := t.writeNode(); err != nil {
		return err
	}
	return lowerLimits(mostFiles)
}

// writeNode writes a program that runs Node with no room for further processes, if so told.
func (t *trial) writeNode() error {
	node, err := exec.LookPath("node")
	if err == nil {
		node, err = filepath.Abs(node)
	}
	if err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\n[ -e '%s' ] && ulimit -u 1\nexec '%s' \"$@\"\n", t.limitFile(), node)
	return os.WriteFile(t.node(), []byte(script), 0o700) //nolint:gosec // it must be a program
}

// node is the Node of all workers.
func (t *trial) node() string { return filepath.Join(t.Dir, "node") }

func (t *trial) limitFile() string { return filepath.Join(t.Dir, "limit") }

// scratch lists the folders in which a host may leave the worker's file.
func (t *trial) scratch() []string {
	return []string{filepath.Join(t.Dir, "disk", "cache"), filepath.Join(t.Dir, "disk", "tmp")}
}

func (t *trial) isOver() bool { return time.Now().After(t.until) }

// tellTime is how often a trial tells what it has done.
const tellTime = 500 * time.Millisecond

// tellUntil writes reports, the last one when stop is closed.
func (t *trial) tellUntil(stop chan struct{}) {
	ticker := time.NewTicker(tellTime)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.tell()
		case <-stop:
			t.tell()
			return
		}
	}
}

// tell writes one report as a line.
func (t *trial) tell() {
	t.mu.Lock()
	text, err := json.Marshal(t.report)
	t.mu.Unlock()
	if err == nil {
		_, err = os.Stdout.Write(append(text, '\n'))
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "can't report:", err)
	}
}

func (t *trial) change(change func(r *report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.report)
}

func (t *trial) injected(fault string) { t.change(func(r *report) { r.Faults[fault]++ }) }

func (t *trial) skipped(fault, reason string) {
	t.change(func(r *report) { r.Skipped[fault] = reason })
}

func (t *trial) ran(runs int) { t.change(func(r *report) { r.Runs += uint64(runs) }) } //nolint:gosec // a count

func (t *trial) lived() { t.change(func(r *report) { r.Lives++ }) }

// ended counts a call by its code, "" for an answer.
func (t *trial) ended(code rootbridge.Code) {
	name := string(code)
	if code == "" {
		name = "ok"
	}
	t.change(func(r *report) { r.Calls++; r.Outcomes[name]++ })
}

// counted keeps what a host has counted until its end.
func (t *trial) counted(s rootbridge.Stats) {
	t.change(func(r *report) {
		addCounts(r.Hosts, map[string]uint64{
			"workers ready": s.Boots, "workers not ready": s.BootFailures, "reloads": s.Reloads, "failed reloads": s.FailedReloads,
			"calls retried": s.Retried, "late replies": s.LateReplies, "log lines dropped": s.DroppedLogs,
		})
		for reason, n := range s.RestartsBy {
			r.Hosts["restarts: "+reason] += n
		}
	})
}

// mostViolations is after how many a trial reports no more: the first ones say most.
const mostViolations = 5

func (t *trial) violated(v violation) {
	t.change(func(r *report) {
		if len(r.Violations) < mostViolations {
			r.Violations = append(r.Violations, v)
		}
	})
}
