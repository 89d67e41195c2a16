package main

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"rootbridge"
)

//go:embed fixture/index.cjs
var source string

// layout is how new code gets in the place of old code.
type layout string

const (
	linked  layout = "linked"   // each version has its own folder, and a symlink leads to the current one
	inPlace layout = "in place" // the files of the one folder are changed
)

// code is the code under test on the disk, and what answers must say of it.
//
// Law: deploying is held while the disk is changed and until the reload that goes with it has ended. mu guards everything
// below it.
type code struct {
	layout layout
	dir    string

	deploying sync.Mutex

	mu          sync.Mutex
	last        int             // version that was written last
	ahead       bool            // the version that was written last was not loaded, or nobody knows
	broken      map[int]bool    // versions that can't be loaded, and so never answer
	floor       floor           // of calls that begin now
	generations map[int]int     // version of each generation that has answered, if it must be one
	loose       bool            // workers die, and their successors load what there is; in place only
	tightFrom   int             // the oldest generation that was made after that
	boots       map[string]boot // of each process that has answered
}

// floor is the oldest code that may answer a call. A reload that has succeeded raises it.
type floor struct{ version, generation int }

// boot is what must not change while a process lives.
type boot struct{ pid, version, generation int }

// newCode writes a first version.
func newCode(dir string, layout layout) (*code, error) {
	c := &code{
		layout: layout, dir: dir,
		broken: make(map[int]bool), generations: make(map[int]int), boots: make(map[string]boot),
	}
	err := c.write(goodVersion)
	c.ahead = false // it is loaded at the start
	return c, err
}

// entry is what Options.Entry should be.
func (c *code) entry() string {
	if c.layout == linked {
		return filepath.Join(c.dir, "current", "index.cjs")
	}
	return filepath.Join(c.dir, "app", "index.cjs")
}

// goodVersion is the text of a version that loads.
func goodVersion(version int) string { return fmt.Sprintf("module.exports = %d;\n", version) }

// deploy writes a version that loads, and makes it the one to be loaded next. deploying is held.
func (c *code) deploy() (version int, err error) {
	err = c.write(goodVersion)
	return c.last, err
}

// spoil writes a version that does not load. deploying is held.
func (c *code) spoil(text string) error {
	c.mu.Lock()
	c.broken[c.last+1] = true
	c.mu.Unlock()
	return c.write(func(int) string { return text })
}

func (c *code) write(text func(version int) string) error {
	c.mu.Lock()
	c.last++
	c.ahead = true
	version := c.last
	c.mu.Unlock()
	if c.layout == linked {
		return c.writeLinked(version, text(version))
	}
	dir := filepath.Join(c.dir, "app")
	if err := writeApp(dir); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, "version.cjs"), text(version))
}

func (c *code) writeLinked(version int, text string) error {
	name := fmt.Sprintf("release-%d", version)
	dir := filepath.Join(c.dir, name)
	if err := writeApp(dir); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, "version.cjs"), text); err != nil {
		return err
	}
	next := filepath.Join(c.dir, "next")
	if err := os.Symlink(name, next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(c.dir, "current"))
}

// writeApp writes what does not change from version to version, once.
func writeApp(dir string) error {
	path := filepath.Join(dir, "index.cjs")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name": "under-test"}`), 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(source), 0o600)
}

// replaceFile changes a file at one moment, so that no worker loads half of it.
func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// raise says that no older code than that may answer from now on.
func (c *code) raise(version, generation int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.floor = floor{max(c.floor.version, version), max(c.floor.generation, generation)}
	c.ahead = c.ahead && version < c.last
}

// isAhead tells whether there may be newer code on the disk than what serves.
func (c *code) isAhead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// least returns the oldest code that may answer a call that begins now.
func (c *code) least() floor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor
}

// loosen says that workers may have to load newer files than those of their generation. Symlinks are not followed anew.
func (c *code) loosen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loose = true
}

// tighten says that from a generation on this need not be any more.
func (c *code) tighten(generation int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loose, c.tightFrom = false, generation
}

// check looks whether an answer comes from where its Reply says, and from the code that it had to come from.
func (c *code) check(a answer, reply rootbridge.Reply, floor floor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	is := boot{a.PID, a.Version, reply.Generation}
	was, known := c.boots[a.Boot]
	c.boots[a.Boot] = is
	switch {
	case known && was != is:
		return fmt.Errorf("process %s answers as %+v, and before as %+v", a.Boot, is, was)
	case a.Version < 1 || a.Version > c.last || c.broken[a.Version]:
		return fmt.Errorf("version %d answered, which can't be: %d were written, broken are %v", a.Version, c.last, slices.Sorted(maps.Keys(c.broken)))
	case a.Version < floor.version || reply.Generation < floor.generation:
		return fmt.Errorf("version %d of generation %d answered a call that began after version %d was loaded as generation %d",
			a.Version, reply.Generation, floor.version, floor.generation)
	case !known && (c.layout == linked || !c.loose && is.generation >= c.tightFrom):
		return c.checkGenerationLocked(is)
	}
	return nil
}

// checkGenerationLocked looks whether a generation has one version, no older than those of the generations before it.
func (c *code) checkGenerationLocked(is boot) error {
	if version, known := c.generations[is.generation]; known && version != is.version {
		return fmt.Errorf("generation %d answers as version %d and as version %d", is.generation, version, is.version)
	}
	c.generations[is.generation] = is.version
	for generation, version := range c.generations {
		if generation < is.generation && version > is.version || generation > is.generation && version < is.version {
			return fmt.Errorf("generation %d is version %d, generation %d is version %d", generation, version, is.generation, is.version)
		}
	}
	return nil
}
