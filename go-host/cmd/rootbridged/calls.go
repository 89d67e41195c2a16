package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"rootbridge"
)

// The headers of a call. Connect-Timeout-Ms is the Connect protocol's, for calls by POST as these are: whole milliseconds, at
// most 10 digits. Traceparent is W3C Trace Context's.
const (
	timeoutHeader     = "Connect-Timeout-Ms"
	traceparentHeader = "Traceparent"
	traceIDHeader     = "X-Request-Id"
)

// calls answers POST /call/{method}.
type calls struct {
	answers
	host        *rootbridge.Host
	bodies      *bodies
	codec       rootbridge.Codec // of the host: JSON means that it takes no MessagePack
	callTimeout time.Duration    // where the client asks for none
	maxTimeout  time.Duration    // the longest that it can ask for
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, w = traced(w, r), c.bodies.counting(w)
	if err := c.call(w, r); err != nil {
		c.failed(w, r, err)
	}
}

func (c *calls) call(w http.ResponseWriter, r *http.Request) error {
	options, failed := c.options(r)
	if failed != nil {
		return failed
	}
	in, release, failed := c.argument(w, r)
	if failed != nil {
		return failed
	}
	out := rootbridge.Encoded{Codec: c.wanted(r, in)}
	var argument any
	if in != nil {
		argument = *in
	}
	err := c.host.Call(r.Context(), r.PathValue("method"), argument, &out, options...)
	release()
	if err != nil {
		return err
	}
	c.result(w, out)
	return nil
}

func (c *calls) options(r *http.Request) ([]rootbridge.CallOption, *failure) {
	timeout, failed := c.timeout(r.Header.Get(timeoutHeader))
	if failed != nil {
		return nil, failed
	}
	options := []rootbridge.CallOption{rootbridge.WithTimeout(timeout)}
	if traceparent := r.Header.Get(traceparentHeader); isTraceparent(traceparent) {
		options = append(options, rootbridge.WithTraceparent(traceparent))
	}
	convention, failed := conventionIn(r.URL.RawQuery)
	if failed == nil && convention != "" {
		options = append(options, rootbridge.WithConvention(convention))
	}
	return options, failed
}

// conventionIn refuses whatever would be without effect.
func conventionIn(query string) (rootbridge.Convention, *failure) {
	values, err := url.ParseQuery(query)
	given := values["convention"]
	if err == nil && len(values) == 0 {
		return "", nil
	}
	if err != nil || len(values) != 1 || len(given) != 1 || given[0] == "" {
		return "", invalid(fmt.Sprintf("expected nothing but convention=NAME in the query, got %.100q", query))
	}
	return rootbridge.Convention(given[0]), nil
}

func (c *calls) timeout(header string) (time.Duration, *failure) {
	if header == "" {
		return c.callTimeout, nil
	}
	milliseconds, err := strconv.ParseUint(header, 10, 64)
	if err != nil || len(header) > 10 {
		return 0, invalid(fmt.Sprintf("expected %s to be milliseconds of at most 10 digits, got %.20q", timeoutHeader, header))
	}
	return min(time.Duration(milliseconds)*time.Millisecond, c.maxTimeout), nil //nolint:gosec // 10 digits
}

// argument is nil for a request without a body, whatever its Content-Type.
func (c *calls) argument(w http.ResponseWriter, r *http.Request) (*rootbridge.Encoded, func(), *failure) {
	if c.bodies.areMany() {
		return nil, nil, c.bodies.explain(errManyBodies)
	}
	if !hasBody(r) {
		return nil, func() {}, nil
	}
	codec, failed := c.requestCodec(r)
	if failed != nil {
		return nil, nil, failed
	}
	body, release, failed := c.bodies.read(w, r)
	if failed != nil {
		return nil, nil, failed
	}
	return &rootbridge.Encoded{Codec: codec, Bytes: body}, release, nil
}

func (c *calls) requestCodec(r *http.Request) (rootbridge.Codec, *failure) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", &failure{http.StatusUnsupportedMediaType, "unsupported_media_type", fmt.Sprintf("expected a body without Content-Encoding, got %.20q", encoding)}
	}
	codec, failed := codecOf(r.Header.Get("Content-Type"))
	if failed == nil && codec == rootbridge.MsgPack && c.codec != rootbridge.MsgPack {
		return "", &failure{http.StatusUnsupportedMediaType, "unsupported_media_type", "MessagePack is off here (--codec json)"}
	}
	return codec, failed
}

// wanted is the argument's own codec unless Accept says otherwise; JSON for none and for bytes.
func (c *calls) wanted(r *http.Request, in *rootbridge.Encoded) rootbridge.Codec {
	if c.codec != rootbridge.MsgPack {
		return rootbridge.JSON
	}
	if in == nil || in.Codec == rootbridge.Raw {
		return wanted(r.Header.Values("Accept"), rootbridge.JSON)
	}
	return wanted(r.Header.Values("Accept"), in.Codec)
}

var (
	traceparents = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}`)
	requestIDs   = regexp.MustCompile(`^[\w.:/+=-]{1,128}$`)
)

// isTraceparent takes versions to come, which may be longer. What is none is left out, as Trace Context wants it.
func isTraceparent(text string) bool {
	const version00 = 55
	if !traceparents.MatchString(text) || text[:2] == "ff" || len(text) > 256 {
		return false
	}
	return text[:2] != "00" || len(text) == version00
}

// traced gives the call's log lines the request's id: X-Request-Id, which is also answered, else the trace id.
func traced(w http.ResponseWriter, r *http.Request) *http.Request {
	if id := r.Header.Get(traceIDHeader); requestIDs.MatchString(id) {
		w.Header().Set(traceIDHeader, id)
		return r.WithContext(rootbridge.ContextWithTraceID(r.Context(), id))
	}
	if traceparent := r.Header.Get(traceparentHeader); isTraceparent(traceparent) {
		return r.WithContext(rootbridge.ContextWithTraceID(r.Context(), traceparent[3:35]))
	}
	return r
}
