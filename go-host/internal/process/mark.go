package process

import (
	"crypto/rand"
	"os"
)

// markVariable is an environment variable of every worker, which its descendants inherit. Its value is the worker's mark,
// after those of the workers around it where this program is itself one's descendant: each host finds its own.
const markVariable = "ROOTBRIDGE_WORKER"

// newMark returns a mark that nothing else contains.
func newMark() string { return rand.Text() }

// withMark returns the environment, nil for this program's own, with a worker's mark. The last of equal names counts.
func withMark(env []string, mark string) []string {
	if env == nil {
		env = os.Environ()
	}
	if outer := os.Getenv(markVariable); outer != "" {
		mark = outer + "," + mark
	}
	return append(env[:len(env):len(env)], markVariable+"="+mark)
}
