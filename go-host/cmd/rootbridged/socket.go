package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// socket is a unix socket that we have made. Its file goes with it, unless another is there by then.
type socket struct {
	*net.UnixListener
	path    string
	file    fs.FileInfo
	closing sync.Once
}

// listenUnix makes a socket with exactly the given mode, also while it comes into being. The lock is for two that start at a
// time: each could find the other's new socket and take it for the old one.
func listenUnix(ctx context.Context, path string, mode fs.FileMode, logger *slog.Logger) (net.Listener, error) {
	unlock, err := lockSocket(ctx, path, logger)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	defer withUmask(mode)()
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return newSocket(listener.(*net.UnixListener), path) //nolint:errcheck,forcetypeassert // Listen's own, for this network
}

// lockTime is how long another may take to make the same socket.
const (
	lockTime  = 10 * time.Second
	lockPause = 20 * time.Millisecond
)

// lockSocket waits until nobody else makes the same socket. It never waits in the system, where no signal would end it.
func lockSocket(ctx context.Context, path string, logger *slog.Logger) (unlock func(), err error) {
	file := path + ".lock"
	bounded, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	for told := false; ; told = true {
		unlock, err := tryLock(file)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		if !told {
			logger.Info("waiting for another program that makes the same socket", "lock", file)
		}
		select {
		case <-time.After(lockPause):
		case <-bounded.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("another program has held the lock on %s for %v; if it makes no socket, end it or remove the file", file, lockTime)
		}
	}
}

var errLocked = errors.New("locked by another program")

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

func newSocket(listener *net.UnixListener, path string) (*socket, error) {
	file, err := os.Lstat(path)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	return &socket{UnixListener: listener, path: path, file: file}, nil
}

// Close may be called more than once. It removes the file first: while the socket is open, no other file can get its number.
func (s *socket) Close() error {
	s.closing.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
			_ = os.Remove(s.path)
		}
	})
	return s.UnixListener.Close()
}
