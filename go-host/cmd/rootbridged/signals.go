package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// signals holds those that were sent to the process, from before the host starts: SIGUSR2 would end it otherwise.
type signals struct {
	end    chan os.Signal // SIGTERM, SIGINT
	reload chan os.Signal // SIGUSR2; one waits, which stands for all that come meanwhile
	once   sync.Once
}

func catchSignals() *signals {
	s := &signals{end: make(chan os.Signal, 2), reload: make(chan os.Signal, 1)}
	signal.Notify(s.end, syscall.SIGTERM, os.Interrupt)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // who reads the log may end before us; workers don't inherit this
	if len(reloadSignals) > 0 {
		signal.Notify(s.reload, reloadSignals...)
	}
	return s
}

// untilAskedToEnd returns a context for the start. Its stop waits until it no longer takes signals.
func (s *signals) untilAskedToEnd() (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	return ctx, sync.OnceFunc(s.cancelOnEndThen(cancel))
}

func (s *signals) cancelOnEndThen(cancel context.CancelFunc) func() {
	stop := s.cancelOnEnd(cancel)
	return func() {
		stop()
		cancel()
	}
}

// cancelOnEnd cancels with the next signal to end. What it returns makes it stop, and waits until it has.
func (s *signals) cancelOnEnd(cancel context.CancelFunc) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case asked := <-s.end:
			cancel()
			s.again(asked)
		case <-stopped:
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}

// again leaves a signal for whoever looks next: what was canceled may have been over already.
func (s *signals) again(asked os.Signal) {
	select {
	case s.end <- asked:
	default:
	}
}

// waitOrAgain waits, unless it is asked to end once more.
func (s *signals) waitOrAgain(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.end:
	}
}

// stop takes no more signals. SIGUSR2 goes on being ignored: it would end the process before its workers have ended.
func (s *signals) stop() {
	s.once.Do(func() {
		if len(reloadSignals) > 0 { // none would mean all
			signal.Ignore(reloadSignals...)
		}
		signal.Stop(s.end)
		signal.Stop(s.reload)
		close(s.reload)
	})
}
