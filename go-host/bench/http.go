package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// httpPeer is node:http on a unix socket behind net/http, with a connection kept open for each caller.
type httpPeer struct {
	*node
	library   library
	transport *http.Transport
	answers   [][]byte // a caller's own, used again
}

func startHTTP(library library) func(context.Context, int) (contender, error) {
	return func(ctx context.Context, callers int) (contender, error) {
		n, socket, err := startServer(ctx, "http.cjs")
		if err != nil {
			return nil, err
		}
		transport := &http.Transport{
			DialContext:  func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, socket) },
			MaxIdleConns: callers, MaxIdleConnsPerHost: callers, DisableCompression: true,
			ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
		}
		return &httpPeer{n, library, transport, make([][]byte, callers)}, nil
	}
}

func (p *httpPeer) Call(ctx context.Context, caller int, method string, in, out any) error {
	text, err := p.library.encode(in)
	if err != nil {
		return err
	}
	response, err := p.transport.RoundTrip(requestOf(ctx, method, mediaType(in), text))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer := roomFor(p.answers[caller], int(response.ContentLength))
	p.answers[caller] = answer
	if _, err := io.ReadFull(response.Body, answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return p.library.decode(answer, out)
}

// requestOf spares what http.NewRequest and http.Client do for addresses, redirects and cookies that they don't know.
func requestOf(ctx context.Context, method string, media []string, body []byte) *http.Request {
	request := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: "node", Path: "/" + method}, Host: "node",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": media},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	return request.WithContext(ctx)
}

var octets, jsonText = []string{"application/octet-stream"}, []string{"application/json"}

func mediaType(in any) []string {
	if isBytes(in) {
		return octets
	}
	return jsonText
}

func (p *httpPeer) Close() error {
	p.transport.CloseIdleConnections()
	return p.node.Close()
}
