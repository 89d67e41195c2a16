//go:build !unix

package conn

import (
	"io"
	"os"
	"time"
)

// NewSource always waits: the system has no pipe that can be asked without waiting.
func NewSource(file *os.File, _ time.Duration) io.Reader { return file }
