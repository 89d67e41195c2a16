package rootbridge

import (
	"rootbridge/internal/frame"
	"rootbridge/internal/process"
)

// keepWords keeps what JavaScript printed on stderr among the last words of its process: it comes as lines of the log, and
// never at the process's own stderr.
func keepWords(tail *process.Tail, meta frame.LogMeta, payload []byte) {
	isWarning := meta.Level == "warn" || meta.Level == "error"
	if meta.Source == "stderr" || meta.Source == "console" && isWarning {
		tail.Add(payload)
	}
}
