package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"
)

// maxReceives is after how many deliveries a message is a dead letter, as maxReceiveCount of a redrive policy.
const maxReceives = 3

// queue stands in for SQS: in memory, in one process, so that what waits at the end is lost. A received message is
// invisible until it is settled.
type queue struct {
	retryAfter time.Duration
	arrived    chan struct{} // has a token when messages may have become visible

	mu       sync.Mutex // guards what follows
	waiting  []*message // oldest first
	inFlight int
	dead     []*message
}

type message struct {
	ID       string          `json:"messageId"`
	Body     json.RawMessage `json:"body"`
	Receives int             `json:"receives"`

	sent, received, visible time.Time // received is the first time
}

// queueState is what GET /queue shows.
type queueState struct {
	Waiting     int        `json:"waiting"`
	InFlight    int        `json:"inFlight"`
	DeadLetters []*message `json:"deadLetters"`
}

func newQueue(retryAfter time.Duration) *queue {
	return &queue{retryAfter: retryAfter, arrived: make(chan struct{}, 1), dead: []*message{}}
}

// send returns the new messages' ids.
func (q *queue) send(bodies []json.RawMessage) []string {
	now := time.Now()
	ids := make([]string, len(bodies))
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, body := range bodies {
		ids[i] = rand.Text()
		q.waiting = append(q.waiting, &message{ID: ids[i], Body: body, sent: now, visible: now})
	}
	q.wake()
	return ids
}

// receive waits for messages, and returns at least one and at most so many; none when ctx has ended.
func (q *queue) receive(ctx context.Context, most int) []*message {
	for ctx.Err() == nil {
		batch, next := q.take(time.Now(), most)
		if len(batch) > 0 {
			return batch
		}
		retry := time.NewTimer(next)
		select {
		case <-q.arrived:
		case <-retry.C:
		case <-ctx.Done():
		}
		retry.Stop()
	}
	return nil
}

// take returns what is visible, or how long nothing will be unless something is sent.
func (q *queue) take(now time.Time, most int) (batch []*message, next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next = time.Hour
	rest := []*message{}
	for _, m := range q.waiting {
		if wait := m.visible.Sub(now); wait > 0 || len(batch) == most {
			next = min(next, wait)
			rest = append(rest, m)
			continue
		}
		if m.Receives == 0 {
			m.received = now
		}
		m.Receives++
		batch = append(batch, m)
	}
	q.waiting = rest
	q.inFlight += len(batch)
	return batch, next
}

// settle deletes a received batch but for what has failed: that is delivered again later, or becomes a dead letter.
func (q *queue) settle(batch []*message, failed map[string]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight -= len(batch)
	for _, m := range batch {
		switch {
		case !failed[m.ID]:
		case m.Receives >= maxReceives:
			q.dead = append(q.dead, m)
		default:
			m.visible = time.Now().Add(q.retryAfter)
			q.waiting = append(q.waiting, m)
		}
	}
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.arrived <- struct{}{}:
	default: // there is a token
	}
}

func (q *queue) state() queueState {
	q.mu.Lock()
	defer q.mu.Unlock()
	return queueState{len(q.waiting), q.inFlight, append([]*message{}, q.dead...)}
}
