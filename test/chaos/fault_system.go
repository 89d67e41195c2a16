package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// fillDisk fills the small disk on which a host writes the worker's file, and takes that file away.
func fillDisk(l *life, random *rand.Rand) error {
	if reason := l.trial.SmallDisk; reason != "" {
		return &unableError{reason}
	}
	l.trial.disk.Lock()
	defer l.trial.disk.Unlock()
	return l.withoutCache(random, func(dir string) (func() error, error) {
		path := filepath.Join(dir, "junk")
		file, err := os.Create(path)
		if err != nil {
			return nil, err
		}
		for chunk := make([]byte, 4096); err == nil; {
			_, err = file.Write(chunk)
		}
		return func() error { return os.Remove(path) }, file.Close()
	})
}

// blockCache puts a file where a host would make a folder for the worker's file.
func blockCache(l *life, random *rand.Rand) error {
	l.trial.disk.Lock()
	defer l.trial.disk.Unlock()
	return l.withoutCache(random, func(dir string) (func() error, error) {
		var paths []string
		for _, name := range []string{"rootbridge", fmt.Sprintf("rootbridge-%d", os.Getuid())} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return nil, err
			}
			paths = append(paths, path)
		}
		return func() error { return errors.Join(os.Remove(paths[0]), os.Remove(paths[1])) }, nil
	})
}

// withoutCache makes the folders for the worker's file useless for a while.
func (l *life) withoutCache(random *rand.Rand, spoil func(dir string) (mend func() error, err error)) error {
	var mends []func() error
	for _, dir := range l.trial.scratch() {
		if err := emptyFolder(dir); err != nil {
			return err
		}
		mend, err := spoil(dir)
		if mend != nil {
			mends = append(mends, mend)
		}
		if err != nil && mend == nil {
			break // a host was quicker: it has its file again
		}
	}
	time.Sleep(time.Duration(300+random.IntN(1200)) * time.Millisecond)
	var err error
	for _, mend := range mends {
		err = errors.Join(err, mend())
	}
	return err
}

func emptyFolder(dir string) error {
	names, err := readNames(dir)
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
	}
	return err
}

// takeDescriptors opens all files that this process may have, but for a few.
func takeDescriptors(l *life, random *rand.Rand) error {
	l.trial.descriptors.Lock()
	defer l.trial.descriptors.Unlock()
	var taken []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, file)
	}
	left := min(len(taken), random.IntN(12))
	closeFiles(taken[:left])
	time.Sleep(time.Duration(300+random.IntN(1500)) * time.Millisecond)
	closeFiles(taken[left:])
	return nil
}

func closeFiles(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}

// takeProcesses lets Node start with no more processes and threads than the user has already.
func takeProcesses(l *life, random *rand.Rand) error {
	if os.Getuid() == 0 {
		return &unableError{"the limit on processes does not bind root"}
	}
	l.trial.processes.Lock()
	defer l.trial.processes.Unlock()
	if err := os.WriteFile(l.trial.limitFile(), nil, 0o600); err != nil {
		return err
	}
	time.Sleep(time.Duration(300+random.IntN(1200)) * time.Millisecond)
	return os.Remove(l.trial.limitFile())
}
