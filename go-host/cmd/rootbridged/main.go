// Command rootbridged runs unmodified JavaScript for programs in any language: they call it over HTTP, on a unix socket or
// a port, and never see the processes that it runs in. docs/sidecar.md shows it.
package main

import (
	"errors"
	"fmt"
	"os"

	"rootbridge"
)

// The exit codes, which are those of the command line in TypeScript.
const (
	exitFailed = 1
	exitUsage  = 2
	exitBoot   = 3
)

type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run JavaScript, and answer calls of it over HTTP."`
	Call    callCommand    `cmd:"" help:"Call a function of one that runs."`
	Workers workersCommand `cmd:"" help:"Show the worker processes of one that runs."`
	Reload  reloadCommand  `cmd:"" help:"Let one that runs load its code anew."`
	Check   checkCommand   `cmd:"" help:"Tell by the exit code whether one that runs is ready, or alive. For probes."`

	Config string `placeholder:"FILE" help:"YAML file with values for flags, by their names without dashes."`
}

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	command, err := parse(args, new(commands))
	if err == nil {
		err = command()
	}
	if ended := (*endedError)(nil); errors.As(err, &ended) {
		return ended.code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", describe(err))
	}
	return exitCode(err)
}

// endedError is the end of another process, which has said itself why.
type endedError struct{ code int }

func (e *endedError) Error() string { return fmt.Sprintf("the server ended with %d", e.code) }

// usageError is the fault of whoever wrote the command, the environment or the file.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func describe(err error) string {
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return err.Error() + "\nrun rootbridged --help, or rootbridged COMMAND --help"
	}
	return err.Error()
}

func exitCode(err error) int {
	usage := (*usageError)(nil)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, rootbridge.CodeBootFailed):
		return exitBoot
	default:
		return exitFailed
	}
}
