package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// isInit tells process 1 of a container, but not one that systemd has given sockets, which are for this process alone.
func isInit() bool { return os.Getpid() == 1 && os.Getenv("LISTEN_PID") != "1" }

// serveAsInit runs this program once more, and does for it what process 1 is there for: it waits for every process that has
// lost its parent, as those do that the JavaScript leaves behind, and passes signals on. It ends as the other one does.
func serveAsInit() error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	server, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{ //nolint:gosec // this program, as it was started
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		// A terminal's signals come to us alone, so that none comes twice.
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return fmt.Errorf("process 1 can't start the server: %w", err)
	}
	var passing sync.WaitGroup
	passing.Go(func() {
		for received := range signals {
			if number, ok := received.(syscall.Signal); ok {
				_ = syscall.Kill(server.Pid, number) // it may just have ended
			}
		}
	})
	err = reapUntil(server.Pid)
	signal.Stop(signals)
	close(signals)
	passing.Wait()
	return err
}

// reapUntil waits for every process until the one with the given id has ended.
func reapUntil(pid int) error {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("process 1 can't wait for the server: %w", err)
		case ended == pid:
			return ending(status)
		}
	}
}

// ending is how this process is to end when the server has ended so.
func ending(status syscall.WaitStatus) error {
	switch {
	case status.Signaled():
		return &endedError{128 + int(status.Signal())}
	case status.ExitStatus() != 0:
		return &endedError{status.ExitStatus()}
	default:
		return nil
	}
}
