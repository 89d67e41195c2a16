//go:build !unix

package conn

import "io"

// newSink always waits in a goroutine: the system has no pipe that is written to without waiting.
func newSink(w io.WriteCloser) sink { return waitingSink{w} }
