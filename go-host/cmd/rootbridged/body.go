package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"rootbridge"
)

// bodies reads request bodies, each of at most max bytes and within timeout, and all together of at most total.
type bodies struct {
	max     int64
	total   int64
	timeout time.Duration
	held    atomic.Int64 // bytes of bodies that are being read, or were read for a call that has not ended
}

// read returns a body, and what gives its bytes back to the others.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), failed *failure) {
	taken := &takenBody{bodies: b}
	_, err := io.Copy(taken, http.MaxBytesReader(w, r.Body, b.max))
	if err != nil {
		taken.release()
		w.Header().Set("Connection", "close") // what is left of it must not be taken for a request
		return nil, nil, b.explain(err)
	}
	return taken.data.Bytes(), taken.release, nil
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

var errManyBodies = errors.New("the bodies of all requests together are too large at the moment (--max-in-flight); try again later")

// takenBody counts its bytes as they arrive: a client that promises many holds none.
type takenBody struct {
	bodies *bodies
	data   bytes.Buffer
	taken  int64
}

func (t *takenBody) Write(p []byte) (int, error) {
	size := int64(len(p))
	t.taken += size
	if t.bodies.held.Add(size) > t.bodies.total {
		return 0, errManyBodies
	}
	return t.data.Write(p)
}

func (t *takenBody) release() { t.bodies.held.Add(-t.taken) }
