package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"strings"
)

// tokens is a file with one token on each line, any of which opens. It is read for each request, so that a token that was
// changed counts at once, and two can be valid while clients change over.
type tokens struct{ file string }

// minToken is the shortest token in bytes. Shorter ones can be guessed.
const minToken = 16

// check finds a file that can't be used, before anything is served. It never quotes what is in there.
func (t tokens) check() error {
	_, err := t.readSome()
	return err
}

func (t tokens) readSome() ([][]byte, error) {
	known, err := t.read()
	if err == nil && len(known) == 0 {
		err = fmt.Errorf("%s: expected at least one token, one on each line, got none", t.file)
	}
	return known, err
}

// opens tells whether an Authorization header has one of the tokens. How long it takes tells nothing of them: sums of one length
// are compared in full, all of them. No test holds that, which could but measure time.
func (t tokens) opens(authorization string) (bool, error) {
	known, err := t.read()
	if err != nil {
		return false, err
	}
	scheme, given, _ := strings.Cut(authorization, " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
	found := 0
	for _, token := range known {
		each := sha256.Sum256(token)
		found |= subtle.ConstantTimeCompare(sum[:], each[:])
	}
	return found == 1 && strings.EqualFold(scheme, "Bearer"), nil
}

func (t tokens) read() ([][]byte, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	var known [][]byte
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		token := bytes.TrimSpace(lines.Bytes())
		if len(token) == 0 {
			continue
		}
		if len(token) < minToken {
			return nil, fmt.Errorf("%s: expected tokens of at least %d bytes, got one of %d", t.file, minToken, len(token))
		}
		known = append(known, bytes.Clone(token))
	}
	return known, nil
}

// first is the token that a client sends.
func (t tokens) first() (string, error) {
	if t.file == "" {
		return "", nil
	}
	known, err := t.readSome() // once: it may be a pipe
	if err != nil {
		return "", err
	}
	return string(known[0]), nil
}
