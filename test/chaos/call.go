package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"rootbridge"
)

// request is the argument of every function of the code under test.
type request struct {
	ID   uint64 `json:"id"`
	Text string `json:"text"`
	MS   int    `json:"ms"`
	Size int    `json:"size"`
}

// answer is what every function answers, in an error's fields where it throws.
type answer struct {
	ID      uint64 `json:"id"`
	Sum     uint32 `json:"sum"`     // of the request
	Version int    `json:"version"` // of the code that ran
	Boot    string `json:"boot"`    // of the process that ran it, unlike any other
	PID     int    `json:"pid"`
	Text    string `json:"text"`
}

// call is one call and what may become of it.
type call struct {
	method string
	request
	timeout    time.Duration     // by WithTimeout, if not 0
	deadline   time.Duration     // of its context, if not 0
	cancel     time.Duration     // after which its context is cancelled, if not 0
	idempotent bool              // by WithIdempotent
	allowed    []rootbridge.Code // how it may end, whatever else happens
	must       rootbridge.Code   // how it ends when nothing else happens; "" for an answer

	began, due, ended time.Time
	floor             floor
	reply             rootbridge.Reply
}

// kind is a sort of calls that the load makes. None of them harms the worker that it runs on.
type kind struct {
	weight int
	make   func(random *rand.Rand) *call
}

// kinds is the load. Weights are shares of their sum.
var kinds = []kind{
	{400, func(random *rand.Rand) *call { return &call{method: "echo", request: request{Text: text(random, 100)}} }},
	{80, func(random *rand.Rand) *call {
		return &call{method: "echo", request: request{Text: text(random, 60_000)}}
	}},
	{150, func(random *rand.Rand) *call { return &call{method: "wait", request: request{MS: random.IntN(50)}} }},
	{60, func(random *rand.Rand) *call {
		return &call{method: "again", request: request{Text: text(random, 100)}}
	}},
	{60, func(random *rand.Rand) *call {
		return &call{method: "waitAgain", request: request{MS: random.IntN(50)}}
	}},
	{40, func(random *rand.Rand) *call {
		return &call{method: "wait", request: request{MS: random.IntN(50)}, idempotent: true}
	}},
	{50, func(random *rand.Rand) *call {
		return &call{method: "grow", request: request{Size: random.IntN(20_000)}}
	}},
	{50, func(*rand.Rand) *call { return &call{method: "fail", must: rootbridge.CodeException} }},
	{10, func(*rand.Rand) *call { return &call{method: "unsayable", must: rootbridge.CodeUnencodableResult} }},
	{10, func(*rand.Rand) *call { return &call{method: "missing", must: rootbridge.CodeMethodNotFound} }},
	{1, func(*rand.Rand) *call {
		return &call{method: "echo", request: request{Text: strings.Repeat("x", maxPayload)}, must: rootbridge.CodeTooLarge}
	}},
	{30, hurried},
	{15, func(random *rand.Rand) *call { c := hurried(random); c.deadline, c.timeout = c.timeout, 0; return c }},
	{40, cancelled},
}

// hurried is a call that may or may not be done in time.
func hurried(random *rand.Rand) *call {
	return &call{
		method: "wait", request: request{MS: random.IntN(20)}, timeout: time.Duration(1+random.IntN(30)) * time.Millisecond,
		allowed: []rootbridge.Code{rootbridge.CodeDeadlineExceeded},
	}
}

// cancelled is a call whose caller may go away before its answer.
func cancelled(random *rand.Rand) *call {
	return &call{
		method: "wait", request: request{MS: random.IntN(20)}, cancel: time.Duration(1 + random.IntN(int(20*time.Millisecond))),
		allowed: []rootbridge.Code{rootbridge.CodeCanceled},
	}
}

// text returns up to so many letters.
func text(random *rand.Rand, most int) string {
	letter := random.IntN(len(letters))
	return strings.Repeat(letters[letter:letter+1], random.IntN(most))
}

const letters = "abcdefghijklmnopqrstuvwxyz"

// draw makes a call of a random kind.
func draw(random *rand.Rand) *call {
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	at := random.IntN(sum)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			return k.make(random)
		}
	}
	panic("unreachable: the weights have changed")
}

// options are what the call is made with, besides its context.
func (c *call) options() []rootbridge.CallOption {
	options := []rootbridge.CallOption{rootbridge.WithReply(&c.reply)}
	if c.timeout != 0 {
		options = append(options, rootbridge.WithTimeout(c.timeout))
	}
	if c.idempotent {
		options = append(options, rootbridge.WithIdempotent())
	}
	return options
}

// context ends as the call says, and sets when the call is due.
func (c *call) context(timeout time.Duration) (context.Context, context.CancelFunc) {
	if c.timeout != 0 {
		timeout = c.timeout
	}
	c.due = c.began.Add(timeout)
	if c.deadline != 0 {
		c.due = c.began.Add(c.deadline)
		return context.WithDeadline(context.Background(), c.due)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if c.cancel != 0 {
		c.due = c.began.Add(c.cancel)
		time.AfterFunc(c.cancel, cancel)
	}
	return ctx, cancel
}

// check compares an answer with the only one that this call can have.
func (c *call) check(a answer) error {
	switch {
	case a.ID != c.ID:
		return fmt.Errorf("call %d got the answer of call %d", c.ID, a.ID)
	case a.Sum != c.sum():
		return fmt.Errorf("call %d got the sum %d, expected %d", c.ID, a.Sum, c.sum())
	case c.method == "grow" && a.Text != strings.Repeat(fmt.Sprintf("%d;", c.ID), c.Size):
		return fmt.Errorf("call %d got %d bytes of text that are not its own", c.ID, len(a.Text))
	case a.PID != c.reply.WorkerPID:
		return fmt.Errorf("call %d ran in process %d, its Reply says %d", c.ID, a.PID, c.reply.WorkerPID)
	}
	return nil
}

func (c *call) sum() uint32 {
	hash := fnv.New32a()
	_, _ = fmt.Fprintf(hash, "%d:%s", c.ID, c.Text)
	return hash.Sum32()
}

// mayRun says how often the function may have run: at least and at most.
func (c *call) mayRun(err *rootbridge.Error) (least, most int) {
	most = 1
	if c.reply.Retried {
		most = 2
	}
	switch {
	case err == nil, err.Code == rootbridge.CodeException, err.Code == rootbridge.CodeUnencodableResult:
		return 1, most
	case c.reply.Retried:
		return 0, most
	case didNotRun[err.Code], strings.Contains(err.Message, "did not run"):
		return 0, 0
	}
	return 0, most
}

// didNotRun has the codes that promise it.
var didNotRun = map[rootbridge.Code]bool{
	rootbridge.CodeMethodNotFound: true, rootbridge.CodeInvalidArgument: true, rootbridge.CodeTooLarge: true,
	rootbridge.CodeWorkerUnavailable: true, rootbridge.CodeQueueTimeout: true, rootbridge.CodeOverloaded: true,
}
