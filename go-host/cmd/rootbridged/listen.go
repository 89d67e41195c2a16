package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// listen begins to listen. Law: it changes the process's umask for a moment, so it runs before anything else that makes files.
func listen(ctx context.Context, at address, mode fs.FileMode) (net.Listener, error) {
	switch at.network {
	case "systemd":
		return activated()
	case "unix":
		return listenUnix(ctx, at.name, mode)
	default:
		return new(net.ListenConfig).Listen(ctx, "tcp", at.name)
	}
}

// activated returns the socket that systemd has made. It is systemd's: its file stays when we end.
func activated() (net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	if len(listeners) != 1 || listeners[0] == nil {
		return nil, usagef("--listen systemd: expected one stream socket from systemd (LISTEN_FDS=1 and LISTEN_PID), got %d; start it by its .socket unit", len(listeners))
	}
	return listeners[0], nil
}

// listenUnix makes a socket with exactly the given mode, also while it comes into being. The lock is for two that start at a
// time: each could find the other's new socket and take it for the old one.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	defer withUmask(mode)()
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}

// removeStale removes a socket that nobody listens at any more. Anything else that is there stays.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("expected a socket or nothing at %s, found another file (%s), which is left alone", path, info.Mode())
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("another program listens at %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("a socket is at %s, and whether it is in use can't be found out: %w", path, err)
	}
	return os.Remove(path)
}
