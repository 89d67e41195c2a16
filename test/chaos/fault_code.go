package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"rootbridge"
)

// brokenTexts are versions that can't be loaded.
var brokenTexts = []string{
	"throw new Error('broken on purpose');\n",
	"process.exit(7);\n",
	"module.exports = {\n",
	"require('./nowhere');\n",
	"process.kill(process.pid, 'SIGKILL');\n",
}

// deploy brings new code and has it loaded.
func deploy(l *life, _ *rand.Rand) error {
	l.code.deploying.Lock()
	defer l.code.deploying.Unlock()
	version, err := l.code.deploy()
	if err != nil {
		return err
	}
	l.reload(version)
	return nil
}

// reload loads a version that loads. Only what explains a failed start explains its failure.
func (l *life) reload(version int) {
	began := time.Now()
	err := l.callReload()
	if err == nil {
		l.code.raise(version, l.host.Stats().Generation)
		return
	}
	code := rootbridge.CodeOf(err)
	if code == rootbridge.CodeClosed && l.closing.Load() {
		return
	}
	if code != rootbridge.CodeBootFailed || !l.excuses.cover(code, began, time.Now()) {
		l.violate("a reload of code that loads failed: %v", err)
	}
}

func (l *life) callReload() error {
	ctx, cancel := context.WithTimeout(context.Background(), reloadBound)
	defer cancel()
	return l.host.Reload(ctx)
}

// spoil brings code that does not load, which must not do any harm, and then code that does.
func spoil(l *life, random *rand.Rand) error {
	return l.spoilWith(pick(random, brokenTexts...), time.Duration(random.IntN(600))*time.Millisecond)
}

// hang brings code that takes longer to load than it may.
func hang(l *life, _ *rand.Rand) error { return l.spoilWith("for (;;);\n", 0) }

func (l *life) spoilWith(text string, stays time.Duration) error {
	l.code.deploying.Lock()
	defer l.code.deploying.Unlock()
	if err := l.code.spoil(text); err != nil {
		return err
	}
	before := l.host.Stats()
	switch err := l.callReload(); {
	case err == nil:
		l.violate("a reload of code that does not load succeeded: %q", text)
	case errors.Is(err, rootbridge.CodeClosed) && l.closing.Load():
	case !errors.Is(err, rootbridge.CodeBootFailed):
		l.violate("a reload of code that does not load failed with %v", err)
	default:
		l.checkGeneration(before, l.host.Stats())
	}
	time.Sleep(stays)
	version, err := l.code.deploy()
	if err == nil {
		l.reload(version)
	}
	return err
}

// checkGeneration looks whether a generation was made of code that has not proved itself. One of the reloads that have ended
// between the two can't have made any.
func (l *life) checkGeneration(before, after rootbridge.Stats) {
	ended := int(after.Reloads + after.FailedReloads - before.Reloads - before.FailedReloads) //nolint:gosec // few
	if made := after.Generation - before.Generation; made >= ended {
		l.violate("%d reloads have ended, one of them without code that loads, and %d generations were made: %+v", ended, made, after)
	}
}

// reloadMany asks for many reloads of new code at once.
func reloadMany(l *life, random *rand.Rand) error {
	l.code.deploying.Lock()
	defer l.code.deploying.Unlock()
	version, err := l.code.deploy()
	if err != nil {
		return err
	}
	var reloading sync.WaitGroup
	for range 2 + random.IntN(6) {
		reloading.Go(func() { l.reload(version) })
	}
	reloading.Wait()
	return nil
}
