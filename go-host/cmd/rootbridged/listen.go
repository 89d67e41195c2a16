package main

import (
	"context"
	"io/fs"
	"log/slog"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// listen begins to listen. Law: it changes the process's umask for a moment, so it runs before anything else that makes files.
func listen(ctx context.Context, at address, mode fs.FileMode, logger *slog.Logger) (net.Listener, error) {
	switch at.network {
	case "systemd":
		return activated()
	case "unix":
		return listenUnix(ctx, at.name, mode, logger)
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
