package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// certificates are the files of --tls-cert, --tls-key and --tls-client-ca. They are read for each connection, so that
// renewed ones count at once; while they can't be read, those that were read last go on counting.
//
// Law: mu guards last.
type certificates struct {
	cert, key, clientCA string
	logger              *slog.Logger

	mu   sync.Mutex
	last *tls.Config
}

// config is nil without --tls-cert.
func (c *certificates) config() (*tls.Config, error) {
	if c.cert == "" && c.key == "" && c.clientCA == "" {
		return nil, nil //nolint:nilnil // plain HTTP
	}
	if c.cert == "" || c.key == "" {
		return nil, usagef("expected both --tls-cert and --tls-key for TLS, and --tls-client-ca only with them")
	}
	first, err := c.read()
	if err != nil {
		return nil, &usageError{err}
	}
	c.last = first
	config := first.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil }
	return config, nil
}

func (c *certificates) current() *tls.Config {
	now, err := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.logger.Error("the TLS files can't be read; those that were read last count", "error", err)
		return c.last
	}
	c.last = now
	return now
}

func (c *certificates) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		SessionTicketsDisabled: true, // each connection shows its certificate, so that one that was withdrawn counts no more
	}
	if c.clientCA == "" {
		return config, nil
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs, err = readPool(c.clientCA)
	if err != nil {
		return nil, fmt.Errorf("--tls-client-ca: %w", err)
	}
	return config, nil
}

func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(file + ": expected certificates in PEM, found none")
	}
	return pool, nil
}
