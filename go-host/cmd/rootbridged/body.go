package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"rootbridge"
)

// bodies reads request bodies, each of at most max bytes and within timeout, and all together of at most total. Answers that
// their clients have not taken yet count with them: no new call begins beyond it, and those that have are answered anyway.
type bodies struct {
	max     int64
	total   int64
	timeout time.Duration
	held    atomic.Int64 // bytes of bodies that are being read, or were read for a call that has not ended, and of answers being written
}

// read returns a body, and what gives its bytes back to the others.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (text []byte, release func(), failed *failure) {
	body := b.of(w, r)
	text, err := io.ReadAll(body)
	if err != nil {
		body.release()
		return nil, nil, b.explain(err)
	}
	return text, body.release, nil
}

func (b *bodies) explain(err error) *failure {
	tooLarge, timedOut := (*http.MaxBytesError)(nil), net.Error(nil)
	switch {
	case errors.Is(err, errManyBodies):
		return &failure{http.StatusServiceUnavailable, string(rootbridge.CodeOverloaded), err.Error()}
	case errors.As(err, &tooLarge):
		return &failure{http.StatusRequestEntityTooLarge, string(rootbridge.CodeTooLarge), fmt.Sprintf("the body has more than %d bytes (--max-payload)", b.max)}
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return &failure{http.StatusRequestTimeout, "request_timeout", fmt.Sprintf("the body did not arrive within %v (--read-timeout)", b.timeout)}
	default:
		return invalid("the body ended before its length, or is not as HTTP describes it")
	}
}

// hasBody waits for the first byte of a body in chunks, which may have none.
func hasBody(r *http.Request) bool {
	if r.ContentLength >= 0 {
		return r.ContentLength > 0
	}
	buffered := bufio.NewReaderSize(r.Body, 1)
	_, err := buffered.Peek(1)
	r.Body = struct {
		io.Reader
		io.Closer
	}{buffered, r.Body}
	return !errors.Is(err, io.EOF)
}

var errManyBodies = errors.New("the bodies and answers of all requests together are too large at the moment (--max-in-flight); try again later")

func (b *bodies) areMany() bool { return b.held.Load() > b.total }

// counting counts what the client has not taken, as long as that keeps a Write waiting.
func (b *bodies) counting(w http.ResponseWriter) http.ResponseWriter {
	return &countedAnswer{ResponseWriter: w, bodies: b}
}

type countedAnswer struct {
	http.ResponseWriter
	bodies *bodies
}

func (c *countedAnswer) Write(p []byte) (int, error) {
	c.bodies.held.Add(int64(len(p)))
	defer c.bodies.held.Add(-int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// Unwrap is http.ResponseController's.
func (c *countedAnswer) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// of returns a request's body with its bounds. What is read of it counts until release.
func (b *bodies) of(w http.ResponseWriter, r *http.Request) *boundedBody {
	return &boundedBody{ReadCloser: http.MaxBytesReader(w, r.Body, b.max), bodies: b, header: w.Header()}
}

// boundedBody counts its bytes as they arrive: a client that promises many holds none.
type boundedBody struct {
	io.ReadCloser
	bodies *bodies
	header http.Header // of the answer
	taken  int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.taken += int64(n)
	if b.bodies.held.Add(int64(n)) > b.bodies.total {
		err = errManyBodies
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.header.Set("Connection", "close") // what is left of it must not be taken for a request
	}
	return n, err
}

func (b *boundedBody) release() { b.bodies.held.Add(-b.taken) }
