package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
)

// listeners are those of --listen and --admin-listen; the latter is nil where there is none.
type listeners struct{ main, admin net.Listener }

func (l listeners) close() {
	_ = l.main.Close()
	if l.admin != nil {
		_ = l.admin.Close()
	}
}

// open listens, if whoever gets there may call.
func (c *serveCommand) open(ctx context.Context, logger *slog.Logger) (listeners, error) {
	if c.TokenFile != "" {
		c.tokens = &tokens{file: c.TokenFile}
		if err := c.tokens.check(); err != nil {
			return listeners{}, usagef("--token-file: %w", err)
		}
	}
	secure, err := c.certificates(logger).config()
	if err != nil {
		return listeners{}, err
	}
	main, err := c.openMain(ctx, secure, logger)
	if err != nil || !c.hasAdmin() {
		return listeners{main: main}, err
	}
	admin, err := c.openAdmin(ctx, secure, logger)
	if err != nil {
		_ = main.Close()
		return listeners{}, err
	}
	return listeners{main, admin}, nil
}

func (c *serveCommand) openMain(ctx context.Context, secure *tls.Config, logger *slog.Logger) (net.Listener, error) {
	listener, err := c.listenAt(ctx, "--listen", c.Listen, logger)
	if err != nil {
		return nil, err
	}
	if !c.Front.Public {
		err = c.mayServe("--listen", listener.Addr(), logger)
	}
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	return secured(listener, secure), nil
}

// openAdmin has TLS only for the network: on this machine nobody listens in, and the names in a certificate are others.
func (c *serveCommand) openAdmin(ctx context.Context, secure *tls.Config, logger *slog.Logger) (net.Listener, error) {
	listener, err := c.listenAt(ctx, "--admin-listen", c.AdminListen, logger)
	if err != nil {
		return nil, err
	}
	if err := c.mayServe("--admin-listen", listener.Addr(), logger); err != nil {
		_ = listener.Close()
		return nil, err
	}
	if isLocal(listener.Addr()) {
		return listener, nil
	}
	return secured(listener, secure), nil
}

func (c *serveCommand) listenAt(ctx context.Context, flag string, at address, logger *slog.Logger) (net.Listener, error) {
	mode, err := c.socketMode()
	if err != nil {
		return nil, err
	}
	listener, err := listen(ctx, at, mode, logger)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, at, err)
	}
	return boundConnections(listener, c.MaxConnections), nil
}

// mayServe refuses to let the network in without a token or certificates.
func (c *serveCommand) mayServe(flag string, at net.Addr, logger *slog.Logger) error {
	if isLocal(at) || c.TLSClientCA != "" {
		return nil
	}
	if c.TokenFile == "" {
		return usagef("%s %s: other machines get there, so it needs %s; or listen at a unix socket or 127.0.0.1", flag, at, c.protection(flag))
	}
	if c.TLSCert == "" {
		logger.Warn("tokens and data cross the network in clear text; use --tls-cert and --tls-key", "listen", at.String())
	}
	return nil
}

func (c *serveCommand) protection(flag string) string {
	const flags = "--token-file, or --tls-client-ca with --tls-cert and --tls-key"
	if c.HTTP != nil && flag == "--listen" {
		return flags + ", or --http-public if the handler itself decides who may do what"
	}
	return flags
}

func (c *serveCommand) certificates(logger *slog.Logger) *certificates {
	return &certificates{cert: c.TLSCert, key: c.TLSKey, clientCA: c.TLSClientCA, logger: logger}
}

func (c *serveCommand) socketMode() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(c.SocketMode, 8, 32)
	if err != nil || fs.FileMode(mode)&^0o770 != 0 || mode&0o600 != 0o600 {
		return 0, usagef("expected --socket-mode to be octal rights of owner and group, such as 0600 or 0660, got %q", c.SocketMode)
	}
	return fs.FileMode(mode), nil
}

func (c *serveCommand) hasAdmin() bool { return c.AdminListen.isSet() }

// frontAddress is where --http listens unless --listen says otherwise: the default of others is for management then.
const frontAddress = "127.0.0.1:8080"

// checkAddresses gives addresses their defaults, and finds those that can't be used together.
func (c *serveCommand) checkAddresses() error {
	if c.HTTP != nil && !c.hasAdmin() {
		c.AdminListen = addressOf(defaultAddress())
	}
	switch {
	case c.Listen.isSet():
	case c.HTTP != nil:
		c.Listen = addressOf(frontAddress)
	default:
		c.Listen = addressOf(defaultAddress())
	}
	if c.AdminListen.network == "systemd" {
		return usagef("--admin-listen: expected unix:PATH or HOST:PORT, got systemd, which is for --listen")
	}
	if c.AdminListen == c.Listen && !c.Listen.isAnyPort() {
		return usagef("expected --listen and --admin-listen to be two addresses, got %s for both", c.Listen)
	}
	return nil
}
