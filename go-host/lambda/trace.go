package lambda

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"rootbridge"
)

const xrayHeader = "X-Amzn-Trace-Id"

// trace is what a request says of the trace that it belongs to.
type trace struct {
	header      string // X-Ray's
	traceparent string // W3C's, or ""
	id          string // of traceparent, or ""
}

var (
	traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)
	xray        = regexp.MustCompile(`^[\w=;:.-]{1,512}$`) // it becomes an environment variable
)

// newTrace takes X-Ray's header from the request, or makes it: of a traceparent, by the rule of the X-Ray guide, or anew.
func newTrace(header http.Header) trace {
	var t trace
	parent := traceparent.FindStringSubmatch(header.Get("Traceparent"))
	if parent != nil {
		t.traceparent, t.id = parent[0], parent[1]
	}
	t.header = header.Get(xrayHeader)
	switch isXRay := xray.MatchString(t.header) && strings.Contains(t.header, "Root=1-"); {
	case isXRay:
	case parent != nil:
		t.header = fmt.Sprintf("Root=1-%s-%s;Parent=%s;Sampled=%d", t.id[:8], t.id[8:], parent[2], sampled(parent[3]))
	default:
		t.header = newRoot()
	}
	return t
}

// sampled is the last bit of traceparent's flags, in hex.
func sampled(flags string) int {
	return strings.IndexByte("0123456789abcdef", flags[1]) & 1
}

// newRoot is seconds and 96 random bits.
func newRoot() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("Root=1-%08x-%x", time.Now().Unix(), random)
}

// context returns a context whose calls carry the trace, unless it has one by itself.
func (t trace) context(ctx context.Context, requestID string) context.Context {
	if rootbridge.TraceID(ctx) == "" {
		ctx = rootbridge.ContextWithTraceID(ctx, cmp.Or(t.id, requestID))
	}
	if t.traceparent != "" && rootbridge.Traceparent(ctx) == "" {
		ctx = rootbridge.ContextWithTraceparent(ctx, t.traceparent)
	}
	return ctx
}

// newRequestID is a UUID of version 4.
func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
