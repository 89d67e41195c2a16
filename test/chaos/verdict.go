package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rootbridge"
)

// anyCode allows a call to end in any way at all.
var anyCode = []rootbridge.Code{
	rootbridge.CodeException, rootbridge.CodeMethodNotFound, rootbridge.CodeInvalidArgument, rootbridge.CodeUnencodableResult,
	rootbridge.CodeTooLarge, rootbridge.CodeProtocolError, rootbridge.CodeWorkerCrashed, rootbridge.CodeWorkerUnavailable,
	rootbridge.CodeDeadlineExceeded, rootbridge.CodeCanceled, rootbridge.CodeQueueTimeout, rootbridge.CodeOverloaded,
	rootbridge.CodeClosed,
}

// judge looks whether a call may have ended as it did, and counts it.
func (l *life) judge(c *call, a answer, err error) {
	e, wrong := l.fault(c, a, err)
	if wrong == nil && c.ended.Sub(c.due) > callBound {
		wrong = fmt.Errorf("it returned %v after its time, at most %v are allowed", c.ended.Sub(c.due), callBound)
	}
	if wrong != nil {
		l.violate("call %d of %q (%v, sent to worker %d of generation %d) ended with %v: %v",
			c.ID, c.method, c.ended.Sub(c.began).Round(time.Millisecond), c.reply.WorkerPID, c.reply.Generation, err, wrong)
	}
	least, most := c.mayRun(e)
	l.ledger.expect(c.ID, least, most)
	l.count(c, e)
}

// fault returns the call's typed error, if it is one, and what is wrong with its outcome.
func (l *life) fault(c *call, a answer, err error) (*rootbridge.Error, error) {
	if err == nil {
		return nil, l.checkAnswer(c, a)
	}
	var e *rootbridge.Error
	if !errors.As(err, &e) || !slices.Contains(anyCode, e.Code) {
		return nil, fmt.Errorf("expected an *Error with a known code, got %T", err)
	}
	if e.Code == rootbridge.CodeException {
		return e, l.checkException(c, e)
	}
	switch {
	case e.Code == c.must:
		return e, nil
	case e.Method != c.method:
		return e, fmt.Errorf("the error names the method %q", e.Method)
	case !errors.Is(err, e.Code):
		return e, errors.New("errors.Is does not find the code")
	case !slices.Contains(c.allowed, e.Code) && !l.excuses.cover(e.Code, c.began, c.ended):
		return e, errors.New("no fault explains this code")
	case e.Code == rootbridge.CodeWorkerCrashed && l.isIdempotent(c) && !c.reply.Retried && !strings.Contains(e.Message, "not run again"):
		return e, errors.New("it may run twice, and was not retried")
	}
	return e, nil
}

func (l *life) isIdempotent(c *call) bool {
	return c.idempotent || slices.Contains(l.plan.options.Idempotent, c.method)
}

func (l *life) checkAnswer(c *call, a answer) error {
	if c.must != "" {
		return fmt.Errorf("expected the code %q", string(c.must))
	}
	if c.reply.Retried && !l.isIdempotent(c) {
		return errors.New("it was retried, and must not run twice")
	}
	if err := c.check(a); err != nil {
		return err
	}
	return l.code.check(a, c.reply, c.floor)
}

// checkException looks whether what was thrown is what this very call had to throw.
func (l *life) checkException(c *call, e *rootbridge.Error) error {
	if c.must != e.Code {
		return fmt.Errorf("nothing should be thrown, but %q was", e.Message)
	}
	var a answer
	if err := e.DecodeFields(&a); err != nil {
		return fmt.Errorf("the error's fields: %w", err)
	}
	if err := c.check(a); err != nil {
		return err
	}
	return l.code.check(a, c.reply, c.floor)
}

// count adds the outcome to the life's own and to the trial's.
func (l *life) count(c *call, e *rootbridge.Error) {
	code := rootbridge.Code("")
	if e != nil {
		code = e.Code
	}
	l.mu.Lock()
	l.ended[code]++
	if c.reply.Retried {
		l.retried++
	}
	l.mu.Unlock()
	l.trial.ended(code)
}
