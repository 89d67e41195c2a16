package rootbridge

import (
	"cmp"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"rootbridge/internal/stamp"
)

// code is what the workers of a generation load: paths whose symlinks were resolved when the generation was made, so that a
// link that is set anew changes nothing until the next reload.
//
// Law: mu guards seen and lookedAt.
type code struct {
	entry string // empty without Options.Entry, and for a handler string whose module was not found
	dir   string
	root  string // the folder whose files are looked at; empty for none
	files stamp.Stamp

	mu       sync.Mutex
	seen     changes
	lookedAt time.Time
}

// changes names a file that is no longer as it was, or "": any file, and any file of code.
type changes struct{ any, code string }

// How long what was seen of the files is taken for true: by starts that could as well wait, which are many, and by those that
// can't.
const (
	optionalAge = time.Second
	neededAge   = 100 * time.Millisecond
)

// readCode reads the code as it is now.
func readCode(options Options) (*code, error) {
	c := &code{dir: options.Dir, lookedAt: time.Now()}
	if options.Entry == "" && options.handler == "" {
		return c, nil
	}
	if err := c.locate(options); err != nil {
		return nil, err
	}
	c.files = stamp.Of(c.root)
	return c, nil
}

// locate finds the files of options.
func (c *code) locate(options Options) (err error) {
	if options.Entry != "" {
		if c.entry, err = filepath.EvalSymlinks(options.Entry); err != nil {
			return fmt.Errorf("Options.Entry: expected a JavaScript file or a package folder: %w", err)
		}
		setDefault(&c.dir, packageDir(c.entry))
	}
	if c.dir, err = filepath.EvalSymlinks(c.dir); err != nil {
		return fmt.Errorf("Options.Dir: expected a folder to run in: %w", err)
	}
	if options.handler != "" {
		c.entry = handlerModule(c.dir, options.handler)
	}
	c.root = packageDir(cmp.Or(c.entry, c.dir))
	return nil
}

// changesWithin returns what is no longer as it was when the generation was made, as of not longer ago than that.
func (c *code) changesWithin(age time.Duration) changes {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.lookedAt) >= age {
		c.lookLocked()
	}
	return c.seen
}

func (c *code) lookLocked() {
	if c.root != "" {
		now := stamp.Of(c.root)
		c.seen = changes{now.Differs(c.files), now.DiffersInCode(c.files)}
	}
	c.lookedAt = time.Now()
}
