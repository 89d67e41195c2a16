package process

import "time"

// Terminate is what Stop does when the process has not ended at the end of its stdin.
func (p *Process) Terminate(grace time.Duration) { p.tree.terminate(grace) }
