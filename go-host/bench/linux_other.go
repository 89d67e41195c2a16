//go:build !linux

package main

import (
	"context"
	"errors"
	"os"
	"syscall"
)

var errNoProc = errors.New("bench measures by /proc: run it on Linux")

func ownGroup() *syscall.SysProcAttr { return nil }

func growPipe(*os.File) {}

func jsiiProcesses() ([]int, error) { return nil, errNoProc }

func resetPeaks([]int) error { return errNoProc }

func usageFrom([]int) (usage, error) { return usage{}, errNoProc }

func usageUntil([]int) (usage, error) { return usage{}, errNoProc }

func thisMachine(context.Context) (machine, error) { return machine{}, errNoProc }
