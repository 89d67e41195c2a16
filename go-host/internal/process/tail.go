package process

import (
	"bytes"
	"sync"
)

const (
	tailSize = 8 << 10 // bytes kept of a process's stderr
	lineSize = 8 << 10 // bytes after which a line is handed on in pieces
)

// Tail takes a process's stderr: it hands on each line and keeps the last bytes for error messages.
type Tail struct {
	onLine func(line []byte)
	line   []byte // the unfinished line; only the writer touches it

	mu   sync.Mutex
	kept []byte
}

// NewTail returns a Tail that hands each line, without its end, to onLine.
func NewTail(onLine func(line []byte)) *Tail { return &Tail{onLine: onLine} }

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.keep(p)
	rest := p
	for {
		at := bytes.IndexByte(rest, '\n')
		if at < 0 {
			break
		}
		t.add(rest[:at])
		t.Flush()
		rest = rest[at+1:]
	}
	t.add(rest)
	return len(p), nil
}

// Add keeps a line that the process said elsewhere. It is handed to nobody.
func (t *Tail) Add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.append(line)
	t.append([]byte{'\n'})
}

func (t *Tail) keep(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.append(p)
}

// append needs the lock.
func (t *Tail) append(p []byte) {
	p = p[max(0, len(p)-tailSize):]
	if over := len(t.kept) + len(p) - tailSize; over > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[over:])]
	}
	t.kept = append(t.kept, p...)
}

func (t *Tail) add(p []byte) {
	for len(t.line)+len(p) > lineSize {
		n := lineSize - len(t.line)
		t.line = append(t.line, p[:n]...)
		p = p[n:]
		t.Flush()
	}
	t.line = append(t.line, p...)
}

// Flush hands on a line whose end has not come.
func (t *Tail) Flush() {
	if line := bytes.TrimSuffix(t.line, []byte("\r")); len(line) > 0 {
		t.onLine(line)
	}
	t.line = t.line[:0]
}

// String returns the last bytes of the process's stderr and of the lines added, at most 8 KiB, without surrounding white space.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(bytes.TrimSpace(t.kept), []byte("\uFFFD")))
}
