package rootbridge

import (
	"fmt"
	"sync/atomic"
)

// budget bounds the bytes of arguments that are held for calls that wait, run, or still run although nobody waits.
type budget struct {
	limit int64
	taken atomic.Int64
}

// take books bytes, or returns the error of a call for which there is no room.
func (b *budget) take(n int) *Error {
	if n == 0 || b.taken.Add(int64(n)) <= b.limit {
		return nil
	}
	b.give(n)
	return &Error{Code: CodeOverloaded, Message: fmt.Sprintf("the arguments of calls that wait or run have more than %d bytes together (Options.MaxInFlight); the call did not run, try again later", b.limit)}
}

// give gives bytes back.
func (b *budget) give(n int) { b.taken.Add(int64(-n)) }

func (b *budget) used() int { return int(b.taken.Load()) }
