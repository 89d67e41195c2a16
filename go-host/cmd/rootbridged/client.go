package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"rootbridge"
)

// clientFlags say where one that runs is, and who asks.
type clientFlags struct {
	Listen    address       `default:"${socket}" placeholder:"ADDRESS" help:"Where it listens: unix:PATH or HOST:PORT. Default: ${socket}"`
	TokenFile string        `type:"file" placeholder:"FILE" help:"File whose first line is the token to send."`
	ServerCA  string        `name:"tls-ca" type:"file" placeholder:"FILE" help:"Certificates of who signed the server's; makes it HTTPS."`
	Name      string        `name:"tls-server-name" placeholder:"NAME" help:"Name that the server's certificate must have, if not the one in --listen; makes it HTTPS."`
	Cert      string        `name:"tls-client-cert" type:"file" placeholder:"FILE" help:"Certificate to show; makes it HTTPS."`
	Key       string        `name:"tls-client-key" type:"file" placeholder:"FILE" help:"Its key."`
	Timeout   time.Duration `placeholder:"TIME" help:"Longest time to wait for the answer. Default: none but the server's own."`
}

// adminFlags are of commands that are no call.
type adminFlags struct {
	clientFlags

	AdminListen address `placeholder:"ADDRESS" help:"Where its --admin-listen is, if it has one. Default: --listen."`
}

func (f *adminFlags) ask(method, path string) (*reply, error) {
	if f.AdminListen.isSet() {
		f.Listen = f.AdminListen
	}
	return f.clientFlags.ask(method, path, nil, nil)
}

// reply is what one that runs has answered with.
type reply struct {
	status      int
	contentType string
	body        []byte
}

// ask makes a request. Its errors are those of the connection, and those that the sidecar answers with.
func (f *clientFlags) ask(method, path string, header http.Header, body []byte) (*reply, error) {
	client, scheme, err := f.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	r, err := f.request(method, scheme+"://"+f.host()+path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w", f.Listen, errors.Unwrap(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("half an answer from %s: %w", f.Listen, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, errorIn(response.Status, text)
	}
	return &reply{response.StatusCode, response.Header.Get("Content-Type"), text}, nil
}

// notOurs is for an answer that is no error and nothing that we know either, as a handler may have one for every path.
func (r *reply) notOurs() error {
	return fmt.Errorf("expected an answer of rootbridged, got %.200q; with serve --http it is at --admin-listen", r.body)
}

func (f *clientFlags) request(method, url string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := (&tokens{file: f.TokenFile}).first()
	if err != nil {
		return nil, usagef("--token-file: %w", err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

func (f *clientFlags) client() (client *http.Client, scheme string, err error) {
	if f.Listen.network == "systemd" {
		return nil, "", usagef("--listen: expected unix:PATH or HOST:PORT to ask, got systemd")
	}
	at := f.Listen.asDialed()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, at.network, at.name)
	}}
	scheme = "http"
	if f.ServerCA != "" || f.Name != "" || f.Cert != "" {
		scheme = "https"
		if transport.TLSClientConfig, err = f.tls(); err != nil {
			return nil, "", &usageError{err}
		}
	}
	return &http.Client{Transport: transport, Timeout: f.Timeout, CheckRedirect: refuseRedirects}, scheme, nil
}

// refuseRedirects keeps the token from going elsewhere.
func refuseRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (f *clientFlags) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.Name}
	if f.ServerCA != "" {
		pool, err := readPool(f.ServerCA)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		config.RootCAs = pool
	}
	if f.Cert == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("--tls-client-cert, --tls-client-key: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// host is what goes into the URL; for a socket it leads nowhere.
func (f *clientFlags) host() string {
	if f.Listen.network == "unix" {
		return "localhost"
	}
	return f.Listen.asDialed().name
}

// errorIn reads the error object out of an answer.
func errorIn(status string, body []byte) error {
	var told struct {
		Error *problem `json:"error"`
	}
	if err := json.Unmarshal(body, &told); err != nil || told.Error == nil || told.Error.Code == "" {
		return fmt.Errorf("expected an answer of rootbridged, got %s: %.200s", status, strings.TrimSpace(string(body)))
	}
	return &answeredError{told.Error}
}

// answeredError is one that the sidecar has answered with.
type answeredError struct{ *problem }

// Error is the code, the JavaScript error's name and message, its stack if the sidecar tells it, and the causes below.
func (e *answeredError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s", e.Code, e.line())
	for cause := e.Cause; cause != nil; cause = cause.Cause {
		fmt.Fprintf(&text, "\n  [cause] %s", cause.line())
	}
	return text.String()
}

func (p *problem) line() string {
	switch {
	case p.Stack != "":
		return p.Stack
	case p.Name != "":
		return p.Name + ": " + p.Message
	default:
		return p.Message
	}
}

// Is lets errors.Is find the code, as in a rootbridge.Error.
func (e *answeredError) Is(target error) bool {
	code, ok := target.(rootbridge.Code)
	return ok && e.Code == string(code)
}
