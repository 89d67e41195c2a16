package process

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// worker is the program that runs inside Node, made from bridge/ by scripts/build-worker.ts.
//
//go:embed worker.cjs
var worker []byte

// starter runs the worker beside it with a compile cache in the same folder. It names the worker's content.
//
//go:embed start.cjs
var starter []byte

// fromDescriptor runs the worker without a file of its own: Node reads it from descriptor 3.
const fromDescriptor = `const n=require('path').resolve('rootbridge-worker.cjs'),m=new(require('module'))(n);m.filename=n;m.paths=[];` +
	`const f=require('fs'),s=f.readFileSync(3,'utf8');f.closeSync(3);m._compile(s,n)`

// WorkerArgs returns the arguments that make Node run the worker, and the code to hand over on descriptor 3 if there is
// no place to write a file to.
func WorkerArgs() (args []string, code []byte, err error) {
	path, err := extractWorker()
	if err == nil {
		return []string{path}, nil, nil
	}
	if !canPassDescriptor {
		return nil, nil, err
	}
	return []string{"-e", fromDescriptor, "--"}, worker, nil
}

// extractWorker writes the worker's files to a folder named after the starter's content, and so after both, in the first directory that takes it, and
// returns the path of the one to run. Programs that start at the same time agree on the files, because each is renamed into
// place whole.
func extractWorker() (string, error) {
	sum := sha256.Sum256(starter)
	name := "worker-" + hex.EncodeToString(sum[:8])
	var failures []error
	for _, dir := range cacheDirs() {
		path, err := extractTo(dir, filepath.Join(dir, name))
		if err == nil {
			return path, nil
		}
		failures = append(failures, err)
	}
	return "", fmt.Errorf("found no directory to write the worker's files to: %w", errors.Join(failures...))
}

// extractTo makes the folder, and the directory that it is in.
func extractTo(dir, folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "start.cjs")
	return path, errors.Join(checkPrivate(dir), checkPrivate(folder), ensureFile(filepath.Join(folder, "worker.cjs"), worker), ensureFile(path, starter))
}

// cacheDirs lists directories of this user alone, so that nobody else can put a file there.
func cacheDirs() []string {
	var dirs []string
	if dir, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(dir, "rootbridge"))
	}
	return append(dirs, filepath.Join(os.TempDir(), fmt.Sprintf("rootbridge-%d", os.Getuid())))
}

func ensureFile(path string, want []byte) error {
	if content, err := os.ReadFile(path); err == nil && bytes.Equal(content, want) {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), "*.tmp")
	if err != nil {
		return err
	}
	_, err = file.Write(want)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
