package main

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// connections is a listener that bounds how many connections there are. Where one more comes, the one that has waited longest
// for a request is closed, so that idle ones keep nobody out; where all have requests, it waits.
//
// Law: mu guards what is below it. See is told of every change of every connection by the http.Server.
type connections struct {
	net.Listener
	limit   int
	changed chan struct{} // holds one when there may be room
	closed  chan struct{}
	closing sync.Once

	mu    sync.Mutex
	open  int
	quiet map[net.Conn]time.Time // those without a request, and since when
}

// quietTime is how long a connection without a request is left in peace: a request may be on its way.
const quietTime = time.Second

func boundConnections(listener net.Listener, limit int) *connections {
	return &connections{
		Listener: listener, limit: limit,
		changed: make(chan struct{}, 1), closed: make(chan struct{}),
		quiet: make(map[net.Conn]time.Time),
	}
}

// Accept takes a connection first and finds room for it then: nobody's is closed for one that may never come.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for wait := c.makeRoom(); wait > 0; wait = c.makeRoom() {
		timer := time.NewTimer(wait)
		select {
		case <-c.changed:
		case <-timer.C:
		case <-c.closed:
			timer.Stop()
			_ = conn.Close()
			return nil, net.ErrClosed
		}
		timer.Stop()
	}
	return conn, nil
}

// makeRoom returns 0 when there is room, else after what time to ask again. It may have closed a connection for it.
func (c *connections) makeRoom() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open < c.limit {
		return 0
	}
	oldest, since := c.oldestLocked()
	if oldest == nil {
		return time.Minute // until a connection changes
	}
	if age := time.Since(since); age < quietTime {
		return quietTime - age
	}
	delete(c.quiet, oldest)
	go oldest.Close() // a TLS connection may take its time to say goodbye
	return time.Minute
}

func (c *connections) oldestLocked() (oldest net.Conn, since time.Time) {
	for conn, at := range c.quiet {
		if oldest == nil || at.Before(since) {
			oldest, since = conn, at
		}
	}
	return oldest, since
}

// See is the http.Server's ConnState.
func (c *connections) See(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open++
		c.quiet[conn] = time.Now()
	case http.StateIdle:
		c.quiet[conn] = time.Now()
		c.noteLocked()
	case http.StateActive:
		delete(c.quiet, conn)
	case http.StateClosed, http.StateHijacked:
		c.open--
		delete(c.quiet, conn)
		c.noteLocked()
	}
}

func (c *connections) noteLocked() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Close also ends an Accept that waits for room, and later the connections that have not asked for anything: the http.Server
// itself would wait for them for five seconds.
func (c *connections) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		time.AfterFunc(quietTime, c.closeQuiet)
	})
	return c.Listener.Close()
}

func (c *connections) closeQuiet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.quiet {
		go conn.Close()
	}
}
