// Package pool shares resources that each take several users at a time. It hands out the least loaded one and lets a
// bounded number of callers wait, first in, first out. It knows nothing of what a resource is.
package pool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// The reasons for which Acquire fails, beside its context's.
var (
	ErrClosed    = errors.New("pool is closed")
	ErrQueueFull = errors.New("queue is full")
	ErrQueueWait = errors.New("waited too long in the queue")
)

// Options bound a pool.
type Options struct {
	QueueLimit int // callers that may wait at a time

	// OnWait, if not nil, is told of each caller that finds no resource with room, with the number of users and waiters,
	// the caller included. It is called without the pool's lock.
	OnWait func(load int)
}

// Pool is a set of resources of type T.
//
// Law: mu guards what is below it, and the fields of Slot, and those of a waiter while it is in the queue. It is never held
// while anything can wait.
type Pool[T any] struct {
	options Options
	full    atomic.Bool // the queue is; written under mu
	spare   sync.Pool   // of *waiter[T]

	mu      sync.Mutex
	slots   []*Slot[T]
	waiters queue[T]
	broken  error // why nobody should wait for a resource now, or nil
	closed  bool
	users   int // of all slots, removed ones too
	peak    int // of users and waiters, since TakePeak
}

// Slot is one resource and its users.
type Slot[T any] struct {
	Resource T

	capacity int
	users    int
	paused   bool
	draining bool
}

// Stats is a snapshot of a pool.
type Stats[T any] struct {
	Slots  []SlotStats[T] // in the order of their addition
	Users  int            // of all slots, removed ones too
	Queued int
}

// SlotStats is a snapshot of a slot.
type SlotStats[T any] struct {
	Resource T
	Users    int
	State    State
}

// State is what new users can have of a slot.
type State int

// The states.
const (
	Open     State = iota // takes users, when it has room
	Paused                // may take users again
	Draining              // only finishes
)

// New returns an empty pool.
func New[T any](options Options) *Pool[T] {
	p := &Pool[T]{options: options, spare: sync.Pool{New: newWaiter[T]}}
	p.waiters.init()
	return p
}

// Acquire returns the least loaded slot, waiting in the queue if all are full. It fails with ErrQueueFull at once, with
// ErrQueueWait when it would still be waiting at the time until, with the error given to Break or Close, or with the
// context's error; a deadline, if not zero, ends the wait like a context's. Each acquired slot must be released once.
func (p *Pool[T]) Acquire(ctx context.Context, until, deadline time.Time) (*Slot[T], error) {
	return p.acquire(ctx, until, deadline, p.queueLastLocked)
}

// AcquireAgain is Acquire for a caller whose slot was of no use to it: it has waited for its turn, so it comes before all who
// wait for their first, and is none of QueueLimit.
func (p *Pool[T]) AcquireAgain(ctx context.Context, until, deadline time.Time) (*Slot[T], error) {
	return p.acquire(ctx, until, deadline, p.queueAgainLocked)
}

func (p *Pool[T]) acquire(ctx context.Context, until, deadline time.Time, queueLocked func() (*waiter[T], error)) (*Slot[T], error) {
	p.mu.Lock()
	if slot := p.tryLocked(); slot != nil {
		p.mu.Unlock()
		return slot, nil
	}
	load := p.users + p.waiters.length + 1
	w, err := queueLocked()
	p.noteLoadLocked()
	p.mu.Unlock()
	if p.options.OnWait != nil {
		p.options.OnWait(load)
	}
	if err != nil {
		return nil, err
	}
	return p.wait(ctx, until, deadline, w)
}

// TryAcquire is Acquire for those who don't wait: it returns nil where they would have to, and tells nobody.
func (p *Pool[T]) TryAcquire() *Slot[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tryLocked()
}

// tryLocked returns nil if there is no room, or others wait for it.
func (p *Pool[T]) tryLocked() *Slot[T] {
	if p.waiters.length > 0 || p.closed {
		return nil
	}
	slot := p.leastLoadedLocked()
	if slot != nil {
		p.useLocked(slot)
	}
	return slot
}

// queueLastLocked makes the caller a waiter, if there may be one more.
func (p *Pool[T]) queueLastLocked() (*waiter[T], error) {
	if err := p.refusalLocked(); err != nil {
		return nil, err
	}
	if p.waiters.length >= p.options.QueueLimit {
		return nil, ErrQueueFull
	}
	w := p.takeWaiter()
	p.waiters.insert(w, &p.waiters.end)
	return w, nil
}

// queueAgainLocked makes the caller a waiter behind those who wait again, and before all others.
func (p *Pool[T]) queueAgainLocked() (*waiter[T], error) {
	if err := p.refusalLocked(); err != nil {
		return nil, err
	}
	w := p.takeWaiter()
	w.again = true
	p.waiters.insert(w, p.waiters.firstNew())
	return w, nil
}

func (p *Pool[T]) takeWaiter() *waiter[T] {
	return p.spare.Get().(*waiter[T]) //nolint:errcheck // the pool holds nothing else
}

// recycle gives back a waiter whose done has delivered. One whose timer has fired all the same is left alone: with
// GODEBUG=asynctimerchan=1 the next caller's wait would end with that.
func (p *Pool[T]) recycle(w *waiter[T]) {
	if w.timer.Stop() {
		*w = waiter[T]{done: w.done, timer: w.timer}
		p.spare.Put(w)
	}
}

// IsFull tells, without waiting for a lock, whether the queue was full a moment ago.
func (p *Pool[T]) IsFull() bool { return p.full.Load() }

func (p *Pool[T]) useLocked(slot *Slot[T]) {
	slot.users++
	p.users++
	p.noteLoadLocked()
}

// noteLoadLocked is called after each change of users, waiters or slots.
func (p *Pool[T]) noteLoadLocked() {
	waiting := p.waiters.length
	p.peak = max(p.peak, p.users+waiting)
	if isFull := p.isFullLocked(waiting); isFull != p.full.Load() {
		p.full.Store(isFull)
	}
}

func (p *Pool[T]) isFullLocked(waiting int) bool {
	if p.options.QueueLimit == 0 {
		return !p.closed && p.broken == nil && p.leastLoadedLocked() == nil
	}
	return waiting >= p.options.QueueLimit
}

// TakePeak returns the largest number of users and waiters at a time since it was called last.
func (p *Pool[T]) TakePeak() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	peak := p.peak
	p.peak = p.users + p.waiters.length
	return peak
}

// Users returns how many users all slots have, removed ones too.
func (p *Pool[T]) Users() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users
}

func (p *Pool[T]) refusalLocked() error {
	if p.closed {
		return ErrClosed
	}
	return p.broken
}

func (p *Pool[T]) leastLoadedLocked() *Slot[T] {
	var best *Slot[T]
	for _, slot := range p.slots {
		if slot.draining || slot.paused || slot.users >= slot.capacity {
			continue
		}
		if best == nil || slot.users < best.users {
			best = slot
		}
	}
	return best
}

func (p *Pool[T]) wait(ctx context.Context, until, deadline time.Time, w *waiter[T]) (*Slot[T], error) {
	reason := ErrQueueWait
	if !deadline.IsZero() && deadline.Before(until) {
		until, reason = deadline, context.DeadlineExceeded
	}
	w.setTimer(until)
	select {
	case <-w.done:
		slot, err := w.slot, w.err
		p.recycle(w)
		return slot, err
	case <-ctx.Done():
		reason = ctx.Err()
	case <-w.timer.C:
	}
	p.leave(w)
	return nil, reason
}

// leave ends its caller's wait. Somebody may have ended it just before, and its done is full then: it is not used again.
func (p *Pool[T]) leave(w *waiter[T]) {
	w.timer.Stop()
	p.mu.Lock()
	p.waiters.remove(w)
	p.noteLoadLocked()
	slot := w.slot // granted while this caller was leaving
	p.mu.Unlock()
	if slot != nil {
		p.Release(slot)
	}
}

// Release gives a slot back, to the first waiter if there is one.
func (p *Pool[T]) Release(slot *Slot[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot.users--
	p.users--
	p.grantLocked()
	p.noteLoadLocked()
}

// grantLocked gives free room to waiters.
func (p *Pool[T]) grantLocked() {
	for p.waiters.length > 0 {
		slot := p.leastLoadedLocked()
		if slot == nil {
			return
		}
		p.endFirstWaitLocked(slot, nil)
		p.useLocked(slot)
	}
}

func (p *Pool[T]) endFirstWaitLocked(slot *Slot[T], err error) {
	w := p.waiters.first()
	p.waiters.remove(w)
	w.slot, w.err = slot, err
	w.done <- struct{}{}
	p.noteLoadLocked()
}

// NewSlot returns a slot for up to capacity users at a time, which is not in use yet.
func NewSlot[T any](resource T, capacity int) *Slot[T] {
	return &Slot[T]{Resource: resource, capacity: capacity}
}

// Add puts a slot into use, and mends a broken pool.
func (p *Pool[T]) Add(slot *Slot[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots = append(p.slots, slot)
	p.broken = nil
	p.grantLocked()
	p.noteLoadLocked()
}

// Drain takes a slot out of use. Its users release it as usual.
func (p *Pool[T]) Drain(slot *Slot[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot.draining = true
	p.noteLoadLocked()
}

// Pause keeps new users from a slot until Resume.
func (p *Pool[T]) Pause(slot *Slot[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot.paused = true
	p.noteLoadLocked()
}

// Resume lets new users have a slot again.
func (p *Pool[T]) Resume(slot *Slot[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot.paused = false
	p.grantLocked()
	p.noteLoadLocked()
}

// Remove drains a slot and forgets it. Its users release it as usual.
func (p *Pool[T]) Remove(slot *Slot[T]) {
	p.Drain(slot)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.slots {
		if s == slot {
			p.slots = append(p.slots[:i:i], p.slots[i+1:]...)
			return
		}
	}
}

// Break fails everyone who waits, and until the next Add everyone who comes, with err, unless a resource takes users.
func (p *Pool[T]) Break(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, slot := range p.slots {
		if !slot.draining {
			return
		}
	}
	p.broken = err
	p.failWaitersLocked(err)
	p.noteLoadLocked()
}

// Broken returns the error given to Break, until the next Add.
func (p *Pool[T]) Broken() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// HasOpen tells whether any slot takes users, with room or without.
func (p *Pool[T]) HasOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, slot := range p.slots {
		if slot.state() == Open {
			return true
		}
	}
	return false
}

// Close fails everyone who waits or comes with ErrClosed. It does not touch the resources.
func (p *Pool[T]) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.failWaitersLocked(ErrClosed)
	p.noteLoadLocked()
}

func (p *Pool[T]) failWaitersLocked(err error) {
	for p.waiters.length > 0 {
		p.endFirstWaitLocked(nil, err)
	}
}

// Stats returns a consistent snapshot.
func (p *Pool[T]) Stats() Stats[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := Stats[T]{Slots: make([]SlotStats[T], len(p.slots)), Users: p.users, Queued: p.waiters.length}
	for i, slot := range p.slots {
		stats.Slots[i] = SlotStats[T]{slot.Resource, slot.users, slot.state()}
	}
	return stats
}

func (s *Slot[T]) state() State {
	switch {
	case s.draining:
		return Draining
	case s.paused:
		return Paused
	default:
		return Open
	}
}
