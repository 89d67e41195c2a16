package rootbridge

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// files returns what they were like when the generation was made. To look takes a while: a worker that starts meanwhile gets
	// its hello, and so loads, only afterwards.
	files func() stamp.Stamp

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

// readCode finds the code as it is now. Whoever keeps it calls files.
func readCode(options Options) (*code, error) {
	c := &code{dir: options.Dir, lookedAt: time.Now()}
	c.files = sync.OnceValue(c.look)
	if options.Entry == "" && options.handler == "" {
		return c, nil
	}
	if err := c.locate(options); err != nil {
		return nil, err
	}
	if options.loadsBeforeHello() {
		c.files()
	}
	return c, nil
}

// loadsBeforeHello tells whether a worker may load code of the package before it gets its hello: another program than Node, or
// what Node preloads.
func (o Options) loadsBeforeHello() bool {
	isForNode := func(variable string) bool { return strings.HasPrefix(variable, "NODE_OPTIONS=") }
	return len(o.Command) > 0 || len(o.NodeArgs) > 0 || slices.ContainsFunc(o.Env, isForNode) ||
		!o.ReplaceEnv && os.Getenv("NODE_OPTIONS") != ""
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

func (c *code) look() stamp.Stamp {
	if c.root == "" {
		return stamp.Stamp{}
	}
	return stamp.Of(c.root)
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
	before, now := c.files(), c.look()
	c.seen = changes{now.Differs(before), now.DiffersInCode(before)}
	c.lookedAt = time.Now()
}
