// Command bench compares Rootbridge with other ways in which a Go program can have JavaScript run: see docs/benchmarks.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run     runCommand     `cmd:"" default:"withargs" help:"Measure, and write the figures as JSON."`
	Guard   guardCommand   `cmd:"" help:"Fail if Rootbridge has become slow, in less than a minute."`
	Contend contendCommand `cmd:"" hidden:"" help:"Measure one contender, as told on stdin."`
	Cold    coldCommand    `cmd:"" hidden:"" help:"Measure the start of one."`
	Idle    idleCommand    `cmd:"" hidden:"" help:"Measure what Rootbridge uses while nothing is to be done."`
}

func main() {
	ctx := interruptible()
	var c commands
	parsed := kong.Parse(&c, kong.Description("Compares Rootbridge with other ways to have JavaScript run.\n\nExample: bench --works 'echo-*' --callers 64"),
		kong.BindTo(ctx, (*context.Context)(nil)))
	err := parsed.Run()
	if ctx.Err() != nil && parsed.Selected().Hidden {
		os.Exit(1) // the process that has started this one says why
	}
	parsed.FatalIfErrorf(err)
}

type runCommand struct {
	Full       bool          `xor:"plan" help:"Everything, for about 50 minutes, in place of five minutes."`
	Goals      bool          `xor:"plan" help:"What has goals for its calls, for about 35 minutes, each round in processes of its own."`
	Contenders []string      `help:"Only these (patterns)."`
	Works      []string      `help:"Only these (patterns)."`
	Callers    []int         `help:"Only these numbers of callers."`
	Rounds     int           `help:"Other than the plan says."`
	Duration   time.Duration `help:"Of each measurement, other than the plan says."`
	Calls      bool          `help:"Measure calls only, no starts and no idling."`
	Out        string        `help:"File for the figures. When measuring fails or is interrupted, what there is stays in one with .partial added." type:"path"`
	Profile    string        `help:"Folder for CPU profiles of both sides." type:"path"`
}

func (c *runCommand) Run(ctx context.Context) error {
	s, err := c.session()
	if err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	results, err := s.run(ctx)
	return errors.Join(c.finish(results, interruptionOr(ctx, err)), printTables(os.Stdout, results))
}

// finish saves what was measured until err, under its own name where that is nil.
func (c *runCommand) finish(r results, err error) error {
	failure := c.save(r)
	switch {
	case failure != nil || c.Out == "":
		return errors.Join(err, failure)
	case err == nil:
		return os.Rename(c.partial(), c.Out)
	case len(r.Cells) == 0:
		return err
	default:
		return fmt.Errorf("%w; what was measured until then is in %s", err, c.partial())
	}
}

// save leaves the file of an earlier run as it is until there is something new.
func (c *runCommand) save(r results) error {
	if c.Out == "" || len(r.Cells) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.partial(), append(text, '\n'), 0o644)
}

// partial has what there is when not all could be measured.
func (c *runCommand) partial() string { return c.Out + ".partial" }

// prepare finds out now what would be in the way after all has been measured.
func (c *runCommand) prepare() error {
	if _, err := os.Stat(built("work.cjs")); err != nil {
		return fmt.Errorf("expected to be in go-host/bench, and make bench-build to have been run: %w", err)
	}
	if c.Out == "" {
		return nil
	}
	if info, err := os.Stat(c.Out); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--out: expected the name of a file, new or to be replaced, got %s, which is none", c.Out)
	}
	file, err := os.OpenFile(c.partial(), os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // to be read by all, as the figures; what is in it stays until there is something new
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	info, err := file.Stat()
	if err := errors.Join(err, file.Close()); err != nil || info.Size() > 0 {
		return err
	}
	return os.Remove(c.partial())
}

// session refuses a choice of which nothing would be measured.
func (c *runCommand) session() (*session, error) {
	if c.Rounds < 0 || c.Duration < 0 {
		return nil, fmt.Errorf("expected --rounds and --duration not to be negative, got %d and %v", c.Rounds, c.Duration)
	}
	p := c.plan()
	contenders, err := chosen("contenders", c.Contenders, makers, func(m maker) string { return m.name })
	if err != nil {
		return nil, err
	}
	chosenWorks, err := chosen("works", c.Works, works, func(w *work) string { return w.name })
	if err != nil {
		return nil, err
	}
	if err := p.choose(c.Callers, chosenWorks); err != nil {
		return nil, err
	}
	if !slices.Contains(contenders, ownName) {
		p.Idle = 0 // it is Rootbridge's
	}
	s := &session{
		plan: p, names: contenders, profiles: c.Profile,
		progress: progress(), steps: steps(), keep: c.save,
	}
	for _, callers := range p.callerCounts() {
		if len(s.cells(callers)) > 0 {
			return s, nil
		}
	}
	return nil, errors.New("none of these contenders does any of these works with so many callers: choose others, or --full, which has more of them")
}

func (c *runCommand) plan() plan {
	p := quick()
	switch {
	case c.Full:
		p = full()
	case c.Goals:
		p = goals()
	}
	if c.Rounds > 0 {
		p.Rounds = c.Rounds
	}
	if c.Duration > 0 {
		p.Duration = c.Duration
	}
	if c.Calls {
		p.Cold, p.Idle = 0, 0
	}
	return p
}

// chosen returns the names that fit any of the patterns, all without patterns. Each pattern must fit one.
func chosen[Item any](what string, patterns []string, items []Item, nameOf func(Item) string) ([]string, error) {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = nameOf(item)
	}
	if len(patterns) == 0 {
		return names, nil
	}
	fits := map[string]bool{}
	for _, pattern := range patterns {
		found := false
		for _, name := range names {
			if ok, _ := path.Match(pattern, name); ok {
				fits[name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("--%s: expected patterns for %s, got %q", what, strings.Join(names, ", "), pattern)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !fits[name] }), nil
}

type contendCommand struct {
	Name    string `arg:""`
	Callers int    `required:""`
	Profile string
}

func (c *contendCommand) Run(ctx context.Context) error {
	stop, err := profile(c.Profile, c.Name)
	if err != nil {
		return err
	}
	defer stop()
	if err := serveChild(ctx, c.Name, c.Callers); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return nil
}

type coldCommand struct {
	Name string `arg:""`
}

func (c *coldCommand) Run(ctx context.Context) error { return startCold(ctx, c.Name) }

type idleCommand struct {
	Duration time.Duration `arg:""`
}

func (c *idleCommand) Run(ctx context.Context) error {
	found, err := measureIdle(ctx, c.Duration)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

type guardCommand struct{}

func (guardCommand) Run(ctx context.Context) error {
	return interruptionOr(ctx, guard(ctx, progress()))
}

// progress is for people who wait: a log has no use for it.
func progress() io.Writer {
	if isTerminal() {
		return os.Stderr
	}
	return io.Discard
}

// steps is for a log.
func steps() io.Writer {
	if isTerminal() {
		return io.Discard
	}
	return os.Stderr
}

func isTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
