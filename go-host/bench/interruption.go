package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// interruption is that a signal asked this process to end. Its exit code is that of the command line in TypeScript.
type interruption struct{ signal syscall.Signal }

func (*interruption) Error() string { return "interrupted" }

func (i *interruption) ExitCode() int { return 128 + int(i.signal) }

// interruptible is canceled with an interruption as its cause. What is ignored stays so, as SIGHUP under nohup.
func interruptible() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	asking := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	asked := make(chan os.Signal, 1)
	if len(asking) > 0 { // none would mean all
		signal.Notify(asked, asking...)
	}
	go func() {
		if s, ok := (<-asked).(syscall.Signal); ok {
			cancel(&interruption{s})
		}
	}()
	return ctx
}

// interruptionOr is the cause of all errors that come after it, or else the error.
func interruptionOr(ctx context.Context, err error) error {
	if cause := (*interruption)(nil); err != nil && errors.As(context.Cause(ctx), &cause) {
		return cause
	}
	return err
}
