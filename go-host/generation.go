package rootbridge

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"rootbridge/internal/stamp"
)

// code is what the workers of a generation load: paths whose symlinks were resolved when the generation was made, so that a
// link that is set anew changes nothing until the next reload.
//
// Law: mu guards changed and lookedAt.
type code struct {
	entry string // empty without Options.Entry
	dir   string
	files stamp.Stamp

	mu       sync.Mutex
	changed  string // a file that is no longer as it was, or ""
	lookedAt time.Time
}

// freshTime is how long what was seen of the files is taken for true.
const freshTime = time.Second

// readCode reads the code as it is now.
func readCode(options Options) (*code, error) {
	c := &code{dir: options.Dir, lookedAt: time.Now()}
	if options.Entry == "" {
		return c, nil
	}
	entry, err := filepath.EvalSymlinks(options.Entry)
	if err != nil {
		return nil, fmt.Errorf("Options.Entry: expected a JavaScript file or a package folder: %w", err)
	}
	c.entry = entry
	setDefault(&c.dir, packageDir(entry))
	if c.dir, err = filepath.EvalSymlinks(c.dir); err != nil {
		return nil, fmt.Errorf("Options.Dir: expected a folder to run in: %w", err)
	}
	c.files = stamp.Of(packageDir(entry))
	return c, nil
}

// hasChanged returns a file that is no longer as it was when the generation was made, or "".
func (c *code) hasChanged() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.lookedAt) >= freshTime {
		c.lookLocked()
	}
	return c.changed
}

// changesMeanwhile is hasChanged for a worker that has just loaded the files.
func (c *code) changesMeanwhile() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lookLocked()
	return c.changed
}

func (c *code) lookLocked() {
	if c.entry != "" {
		c.changed = stamp.Of(packageDir(c.entry)).Differs(c.files)
	}
	c.lookedAt = time.Now()
}
