package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// ledger compares how often functions have run with how often they may have. The code under test writes a line into its
// file at the beginning of each run.
//
// Law: mu guards expected.
type ledger struct {
	path string

	mu       sync.Mutex
	expected map[uint64]runs
}

// runs says how often a call may have run: at least and at most.
type runs struct{ least, most int8 }

func newLedger(path string) *ledger { return &ledger{path: path, expected: make(map[uint64]runs)} }

// expect says how often an ended call may have run. It may still run after that, if nobody waits for it any more.
func (l *ledger) expect(id uint64, least, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected[id] = runs{int8(least), int8(most)} //nolint:gosec // at most 2
}

// check reads the file when nothing can run any more. It returns the number of runs, and what is wrong with them.
func (l *ledger) check() (total int, wrong []string) {
	counted, err := l.read()
	if err != nil {
		return 0, []string{err.Error()}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range counted {
		total += n
		if _, known := l.expected[id]; !known {
			wrong = append(wrong, fmt.Sprintf("call %d ran, which nobody made or which never ended", id))
		}
	}
	for id, allowed := range l.expected {
		if n := counted[id]; n < int(allowed.least) || n > int(allowed.most) {
			wrong = append(wrong, fmt.Sprintf("call %d ran %d times, expected %d to %d", id, n, allowed.least, allowed.most))
		}
	}
	return total, wrong
}

func (l *ledger) read() (map[uint64]int, error) {
	file, err := os.Open(l.path)
	if os.IsNotExist(err) {
		return nil, nil //nolint:nilnil // no worker has loaded the code
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	counted := make(map[uint64]int)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		word, _, _ := strings.Cut(lines.Text(), " ")
		id, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the ledger has the line %q: %w", lines.Text(), err)
		}
		counted[id]++
	}
	return counted, lines.Err()
}
