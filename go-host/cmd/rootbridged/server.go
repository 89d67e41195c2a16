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

// server is a host with its HTTP servers, from the moment when all are there until none is.
type server struct {
	answers
	flags  *serveCommand
	host   *rootbridge.Host
	health *health
	main   *entrance // for calls, or for --http
	admin  *entrance // nil where main is for management, too
}

// entrance is an HTTP server and where it listens.
type entrance struct {
	*http.Server
	listener net.Listener
}

func newServer(flags *serveCommand, host *rootbridge.Host, listeners listeners, logger *slog.Logger) *server {
	s := &server{
		answers: answers{stacks: flags.Stacks, writeTimeout: flags.WriteTimeout, logger: logger},
		flags:   flags, host: host, health: &health{host: host},
	}
	s.main = s.entrance(listeners.main, s.handler(listeners))
	if listeners.admin != nil {
		s.admin = s.entrance(listeners.admin, s.api(listeners.admin, s.management()))
	}
	return s
}

// handler answers what comes to --listen.
func (s *server) handler(listeners listeners) http.Handler {
	switch {
	case s.flags.HTTP != nil:
		return s.front()
	case listeners.admin != nil:
		return s.api(listeners.main, s.calls())
	default:
		return s.api(listeners.main, s.calls(), s.management())
	}
}

func (s *server) entrance(listener net.Listener, handler http.Handler) *entrance {
	f := s.flags
	e := &entrance{listener: listener, Server: &http.Server{
		Handler: handler,

		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: f.ReadHeaderTimeout,
		// Each answer has WriteTimeout of its own from when it is there. This is for those that nobody waits for.
		WriteTimeout:   f.ReadTimeout + f.MaxTimeout + f.WriteTimeout,
		IdleTimeout:    f.IdleTimeout,
		MaxHeaderBytes: int(f.MaxHeader) - headerSlack,
		ErrorLog:       slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}}
	if see, ok := unsecured(listener).(*connections); ok {
		e.ConnState = see.See
	}
	return e
}

// headerSlack is what net/http adds to MaxHeaderBytes.
const headerSlack = 4 << 10

func (s *server) bodies() *bodies {
	return &bodies{max: int64(s.flags.MaxPayload), total: int64(s.flags.MaxInFlight), timeout: s.flags.ReadTimeout}
}

// run serves until it is asked to end, then ends: first readiness, then requests, then workers.
func (s *server) run(signals *signals) error {
	failed := make(chan error, 2)
	for _, each := range s.entrances() {
		go func() { failed <- each.Serve(each.listener) }()
	}
	reloading := s.reloadOnSignal(signals)
	s.logListening()
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

func (s *server) entrances() []*entrance {
	if s.admin == nil {
		return []*entrance{s.main}
	}
	return []*entrance{s.main, s.admin}
}

func (s *server) logListening() {
	about := []any{"address", s.main.listener.Addr().String(), "tls", s.flags.TLSCert != ""}
	if s.admin != nil {
		about = append(about, "admin_address", s.admin.listener.Addr().String())
	}
	s.logger.Info("listening", about...)
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
	_ = s.main.Shutdown(bounded)
	err := s.host.Shutdown(bounded)
	words, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	for _, each := range s.entrances() { // probes are answered until now
		_ = each.Shutdown(words)
		_ = each.Close()
	}
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

func isSecured(listener net.Listener) bool { return unsecured(listener) != listener }

func unsecured(listener net.Listener) net.Listener {
	if secure, ok := listener.(*tlsListener); ok {
		return secure.inner
	}
	return listener
}
