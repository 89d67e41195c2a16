package pool

import "time"

// waiter is a caller in the queue.
//
// Law: it is in the queue until somebody takes it out under Pool.mu: its caller, who leaves, or whoever ends its wait, under the
// same lock. After that nobody but its caller knows it.
type waiter[T any] struct {
	done  chan struct{} // cap 1; delivers after slot or err is set
	timer *time.Timer   // nil before the first wait
	slot  *Slot[T]
	err   error

	again          bool       // by AcquireAgain
	previous, next *waiter[T] // in the queue; nil outside of it
}

func newWaiter[T any]() any { return &waiter[T]{done: make(chan struct{}, 1)} }

func (w *waiter[T]) setTimer(until time.Time) {
	if w.timer == nil {
		w.timer = time.NewTimer(time.Until(until))
		return
	}
	w.timer.Reset(time.Until(until))
}

// queue has the waiters in the order of their turns. It is a ring, so that it needs no memory of its own for each.
type queue[T any] struct {
	end    waiter[T] // nobody: behind the last waiter, and before the first
	length int
}

func (q *queue[T]) init() { q.end.previous, q.end.next = &q.end, &q.end }

// insert puts a waiter before next, which may be the end.
func (q *queue[T]) insert(w, next *waiter[T]) {
	w.previous, w.next = next.previous, next
	w.previous.next, next.previous = w, w
	q.length++
}

// remove takes a waiter out, if it is in.
func (q *queue[T]) remove(w *waiter[T]) {
	if w.next == nil {
		return
	}
	w.previous.next, w.next.previous = w.next, w.previous
	w.previous, w.next = nil, nil
	q.length--
}

// first returns the waiter whose turn is next, in a queue that is not empty.
func (q *queue[T]) first() *waiter[T] { return q.end.next }

// firstNew returns the first waiter that does not wait again, or the end, which does not either.
func (q *queue[T]) firstNew() *waiter[T] {
	w := q.end.next
	for w.again {
		w = w.next
	}
	return w
}
