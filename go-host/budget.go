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
	return b.overdrawn()
}

// refusal returns the error of a call for whose argument, of at least n bytes, there is no room now.
func (b *budget) refusal(n int) *Error {
	if n > 0 && b.taken.Load()+int64(n) > b.limit {
		return b.overdrawn()
	}
	return nil
}

func (b *budget) overdrawn() *Error {
	return &Error{Code: CodeOverloaded, Message: fmt.Sprintf("the arguments of calls that wait or run have more than %d bytes together (Options.MaxInFlight); the call did not run, try again later", b.limit)}
}

// give gives bytes back.
func (b *budget) give(n int) { b.taken.Add(int64(-n)) }

func (b *budget) used() int { return int(b.taken.Load()) }
