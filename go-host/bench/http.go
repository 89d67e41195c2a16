package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
)

// httpPeer is node:http on a unix socket behind net/http, with a connection kept open for each caller.
type httpPeer struct {
	*node
	library library
	client  *http.Client
	answers [][]byte // a caller's own, used again
}

func startHTTP(library library) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, callers int) (contender, error) {
		n, socket, err := startServer(ctx, "http.mjs")
		if err != nil {
			return nil, err
		}
		transport := &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
			MaxIdleConns: callers, MaxIdleConnsPerHost: callers, DisableCompression: true,
			ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
		}
		return &httpPeer{n, library, &http.Client{Transport: transport}, make([][]byte, callers)}, nil
	}
}

func (p *httpPeer) Call(ctx context.Context, caller int, method string, in, out any) error {
	text, err := p.library.encode(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node/"+method, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", mediaType(in))
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer := p.room(caller, int(response.ContentLength))
	if _, err := io.ReadFull(response.Body, answer); err != nil {
		return err
	}
	_, _ = response.Body.Read(make([]byte, 1)) // its end, so that the connection is used again
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return p.library.decode(answer, out)
}

// room returns a caller's memory.
func (p *httpPeer) room(caller, size int) []byte {
	p.answers[caller] = slices.Grow(p.answers[caller][:0], size)
	return p.answers[caller][:size]
}

func mediaType(in any) string {
	if isBytes(in) {
		return "application/octet-stream"
	}
	return "application/json"
}

func (p *httpPeer) Close() error {
	p.client.CloseIdleConnections()
	return p.node.Close()
}
