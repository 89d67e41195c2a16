package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// tokens is a file with one token on each line, any of which opens. It is read for each request, so that a token that was
// changed counts at once, and two can be valid while clients change over. While it can't be used, the tokens that were read last
// count, as certificates do.
//
// Law: mu guards last.
type tokens struct {
	file string

	mu   sync.Mutex
	last [][]byte // nil before the first
}

// minToken is the shortest token in bytes. Shorter ones can be guessed.
const minToken = 16

// check finds a file that can't be used, before anything is served. It never quotes what is in there.
func (t *tokens) check() (err error) {
	t.last, err = t.readSome()
	return err
}

func (t *tokens) readSome() ([][]byte, error) {
	known, err := t.read()
	if err == nil && len(known) == 0 {
		err = fmt.Errorf("%s: expected at least one token, one on each line, got none", t.file)
	}
	return known, err
}

// opens tells whether an Authorization header has one of the tokens. How long it takes tells nothing of them: sums of one length
// are compared in full, all of them. No test holds that, which could but measure time.
func (t *tokens) opens(authorization string, logger *slog.Logger) bool {
	scheme, given, _ := strings.Cut(authorization, " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
	found := 0
	for _, token := range t.current(logger) {
		each := sha256.Sum256(token)
		found |= subtle.ConstantTimeCompare(sum[:], each[:])
	}
	return found == 1 && strings.EqualFold(scheme, "Bearer")
}

// current is nothing where the file has never been read.
func (t *tokens) current(logger *slog.Logger) [][]byte {
	now, err := t.read()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		logger.Error("the token file can't be used; the tokens that were read last count", "error", err)
		return t.last
	}
	t.last = now
	return now
}

func (t *tokens) read() ([][]byte, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as some editors of Windows begin a file
	var known [][]byte
	for line := range bytes.Lines(text) {
		token := bytes.TrimSpace(line)
		if len(token) == 0 {
			continue
		}
		if len(token) < minToken {
			return nil, fmt.Errorf("%s: expected tokens of at least %d bytes, got one of %d", t.file, minToken, len(token))
		}
		known = append(known, token)
	}
	return known, nil
}

// first is the token that a client sends.
func (t *tokens) first() (string, error) {
	if t.file == "" {
		return "", nil
	}
	known, err := t.readSome() // once: it may be a pipe
	if err != nil {
		return "", err
	}
	return string(known[0]), nil
}
