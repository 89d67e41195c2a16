// Package vector reads the test cases of protocol/vectors, for tests only. protocol/vectors/README.md has their formats.
package vector

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxBytes bounds what one hex text may stand for.
const maxBytes = 64 << 20

// Read reads the cases of one file, given by its name within protocol/vectors. A key that Case does not know is an error,
// and so is a file without cases: a test must not pass because it checked nothing.
func Read[Case any](name string) ([]Case, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	return parse[Case](name, content)
}

func parse[Case any](name string, content []byte) ([]Case, error) {
	var file struct {
		Comment string `json:"comment"`
		Cases   []Case `json:"cases"`
	}
	if err := Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(file.Cases) == 0 {
		return nil, fmt.Errorf("%s: expected cases, got none", name)
	}
	return file.Cases, nil
}

// Unmarshal is json.Unmarshal that takes no unknown keys.
func Unmarshal(content []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(out); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("expected one JSON value, got more")
	}
	return nil
}

// Dir returns the folder of the vectors: protocol/vectors in the working directory or above it.
func Dir() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		vectors := filepath.Join(dir, "protocol", "vectors")
		if info, err := os.Stat(vectors); err == nil && info.IsDir() {
			return vectors, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("found no protocol/vectors at or above %s", start)
		}
	}
}

// Bytes returns what a hex text stands for: blanks mean nothing, and "(ab*1000)" is the bytes ab a thousand times.
func Bytes(text string) ([]byte, error) {
	var out []byte
	rest := strings.ReplaceAll(text, " ", "")
	for rest != "" {
		piece, times := rest[:strings.IndexByte(rest+"(", '(')], 1
		rest = rest[len(piece):]
		if piece == "" {
			inside, after, _ := strings.Cut(rest[1:], ")")
			unit, count, _ := strings.Cut(inside, "*")
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 || len(inside)+2 > len(rest) {
				return nil, fmt.Errorf("expected hex such as (ab*1000), got %.40q", rest)
			}
			piece, times, rest = unit, n, after
		}
		unit, err := hex.DecodeString(piece)
		if err != nil {
			return nil, err
		}
		if len(unit) > 0 && times > (maxBytes-len(out))/len(unit) {
			return nil, fmt.Errorf("expected at most %d bytes", maxBytes)
		}
		out = append(out, bytes.Repeat(unit, times)...)
	}
	return out, nil
}
