package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// anyWorker picks one of the processes that the system knows, ready or not.
func (l *life) anyWorker(random *rand.Rand) (int, error) {
	workers, _, err := children(l.mark)
	if err != nil {
		return 0, err
	}
	if len(workers) == 0 {
		return 0, errNoWorker
	}
	return workers[random.IntN(len(workers))], nil
}

// signalWorker sends a signal of which a worker ends: SIGUSR2 by being replaced, or started again if it is not ready yet.
func signalWorker(sig syscall.Signal) func(*life, *rand.Rand) error {
	return func(l *life, random *rand.Rand) error {
		pid, err := l.anyWorker(random)
		if err != nil {
			return err
		}
		l.doom(pid, "it got the signal "+sig.String())
		return send(pid, sig)
	}
}

// askHost sends SIGUSR2 to this process, upon which the host must reload, or try to.
func askHost(l *life, _ *rand.Rand) error {
	if l.code.layout == inPlace { // files that change while a reload has workers left to replace are loaded by those
		l.code.deploying.Lock()
		defer l.code.deploying.Unlock()
	}
	before := l.host.Stats()
	if err := send(os.Getpid(), sigAsk); err != nil {
		return err
	}
	began := time.Now()
	for now := before; now.Reloads+now.FailedReloads == before.Reloads+before.FailedReloads && !l.closing.Load(); now = l.host.Stats() {
		if time.Since(began) > reloadBound {
			l.violate("no reload has ended within %v after SIGUSR2: %+v", reloadBound, now)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// freeze stops a worker for a time between two, in milliseconds.
func freeze(least, most int) func(*life, *rand.Rand) error {
	return func(l *life, random *rand.Rand) error {
		pid, err := l.anyWorker(random)
		if err == nil {
			err = send(pid, sigStop)
		}
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(least+random.IntN(most-least)) * time.Millisecond)
		_ = send(pid, sigContinue) // it may be gone
		return nil
	}
}

// pauseMachine stops this process and all workers for longer than a worker may be blocked, as when a laptop sleeps.
func pauseMachine(l *life, random *rand.Rand) error {
	workers, _, err := children(l.mark)
	if err != nil {
		return err
	}
	const script = `d=$1; shift; kill -STOP "$@"; sleep $d; kill -CONT "$@"`
	seconds := strconv.FormatFloat(killGrace.Seconds()*(1.1+random.Float64()/3), 'f', 2, 64)
	args := []string{"-c", script, "pause", seconds}
	for _, pid := range workers {
		args = append(args, strconv.Itoa(pid))
	}
	return exec.Command("sh", append(args, strconv.Itoa(os.Getpid()))...).Run() //nolint:noctx // it ends by itself
}
