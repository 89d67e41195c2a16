//go:build !linux

package main

import (
	"context"
	"errors"
	"os"
	"time"
)

var errNoProc = errors.New("bench measures by /proc: run it on Linux")

func growPipe(*os.File) {}

func jsiiProcesses() ([]int, error) { return nil, errNoProc }

func resetPeaks([]int) error { return errNoProc }

func usageOf([]int) (usage, error) { return usage{}, errNoProc }

func processUsage(int) (time.Duration, uint64, error) { return 0, 0, errNoProc }

func thisMachine(context.Context) (machine, error) { return machine{}, errNoProc }
