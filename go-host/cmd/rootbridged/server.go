package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"rootbridge"
)

// server is a host with its HTTP server, from the moment when both are there until neither is.
type server struct {
	flags    *serveCommand
	host     *rootbridge.Host
	http     *http.Server
	listener net.Listener
	health   *health
	logger   *slog.Logger
}

func newServer(flags *serveCommand, host *rootbridge.Host, listener net.Listener, logger *slog.Logger) *server {
	s := &server{flags: flags, host: host, listener: listener, health: &health{host: host}, logger: logger}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: flags.ReadHeaderTimeout,
		// Each answer has WriteTimeout of its own from when it is there. This is for those that nobody waits for.
		WriteTimeout:   flags.ReadTimeout + flags.MaxTimeout + flags.WriteTimeout,
		IdleTimeout:    flags.IdleTimeout,
		MaxHeaderBytes: int(flags.MaxHeader),
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if see, ok := unsecured(listener).(*connections); ok {
		s.http.ConnState = see.See
	}
	return s
}

func (s *server) handler() http.Handler {
	f := s.flags
	answers := answers{stacks: f.Stacks, writeTimeout: f.WriteTimeout, logger: s.logger}
	h := &handler{
		answers: answers, host: s.host, health: s.health, calls: front(s.host, f, answers), readTimeout: f.ReadTimeout,
		guard: guard{checksHost: s.needsHostCheck(), crossOrigin: http.NewCrossOriginProtection(), logger: s.logger},
	}
	if f.TokenFile != "" {
		h.guard.tokens = &tokens{f.TokenFile}
	}
	return h.handler()
}

// front makes what answers calls.
func front(host *rootbridge.Host, f *serveCommand, answers answers) http.Handler {
	return &calls{
		answers: answers, host: host, codec: rootbridge.Codec(f.Codec), callTimeout: f.CallTimeout, maxTimeout: f.MaxTimeout,
		bodies: &bodies{max: int64(f.MaxPayload), total: int64(f.MaxInFlight), timeout: f.ReadTimeout},
	}
}

func (s *server) needsHostCheck() bool {
	_, isTCP := s.listener.Addr().(*net.TCPAddr)
	return isTCP && s.flags.TokenFile == "" && s.flags.TLSClientCA == ""
}

// run serves until it is asked to end, then ends: first readiness, then requests, then workers.
func (s *server) run(signals *signals) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	reloading := s.reloadOnSignal(signals)
	s.logger.Info("listening", "address", s.listener.Addr().String(), "tls", s.flags.TLSCert != "")
	s.tell(daemon.SdNotifyReady)
	select {
	case err := <-failed:
		return errors.Join(err, s.host.Close())
	case <-signals.end:
	}
	s.health.draining.Store(true)
	s.tell(daemon.SdNotifyStopping)
	s.logger.Info("ending", "shutdown_delay", s.flags.ShutdownDelay)
	signals.waitOrAgain(s.flags.ShutdownDelay)
	err := s.drain(signals)
	signals.stop()
	<-reloading
	return err
}

// tell speaks to systemd, if it listens.
func (s *server) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.logger.Warn("systemd can't be told", "state", state, "error", err)
	}
}

// lastWords is how long requests that were cut off may take to say so.
const lastWords = time.Second

// drain lets requests end, and cuts off those that take too long. A further signal cuts them off at once.
func (s *server) drain(signals *signals) error {
	bounded, cancel := context.WithTimeout(context.Background(), s.flags.DrainTimeout)
	defer cancel()
	defer signals.cancelOnEnd(cancel)()
	_ = s.http.Shutdown(bounded)
	err := s.host.Shutdown(bounded)
	words, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	_ = s.http.Shutdown(words)
	_ = s.http.Close()
	if err != nil {
		return fmt.Errorf("calls were cut off at the end (--drain-timeout %v): %w", s.flags.DrainTimeout, err)
	}
	s.logger.Info("ended")
	return nil
}

// reloadOnSignal returns what is closed when it has ended, which is after the host.
func (s *server) reloadOnSignal(signals *signals) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range signals.reload {
			_ = s.host.Reload(context.Background()) // the host has logged how it went
		}
	}()
	return done
}

// secured adds TLS, if there is some.
func secured(listener net.Listener, config *tls.Config) net.Listener {
	if config == nil {
		return listener
	}
	return &tlsListener{Listener: tls.NewListener(listener, config), inner: listener}
}

// tlsListener remembers what it secures.
type tlsListener struct {
	net.Listener
	inner net.Listener
}

func unsecured(listener net.Listener) net.Listener {
	if secure, ok := listener.(*tlsListener); ok {
		return secure.inner
	}
	return listener
}
