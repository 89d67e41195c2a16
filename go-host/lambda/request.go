package lambda

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"
)

// request is what events of all formats are made of.
type request struct {
	*http.Request
	id       string
	received time.Time
	path     string // as it came, escaped
	header   http.Header
	names    map[string]string // that headers have in place of net/http's
	sourceIP string
	route    route
	gateway  gateway
	body     string
	isBase64 bool
}

const (
	defaultStage   = "$default"
	defaultAccount = "000000000000"
)

func (s *settings) request(r *http.Request, id string, received time.Time, t trace, body []byte) *request {
	q := &request{Request: r, id: id, received: received, names: s.headerNames, gateway: s.gateway}
	q.gateway.variables = maps.Clone(s.gateway.variables) // each event's own, to be edited
	q.path = cmp.Or(r.URL.EscapedPath(), "/")
	q.body, q.isBase64 = s.bodyText(r.Header, body)
	q.header, q.sourceIP = s.headerOf(r, len(body))
	q.header.Set(xrayHeader, t.header)
	q.route = newRoute(r, cmp.Or(s.pattern, r.Pattern), q.path)
	q.gateway.domainName = cmp.Or(q.gateway.domainName, hostOf(r.Host))
	return q
}

// domainPrefix is the first label of the domain name, which on AWS is the API's id.
func (q *request) domainPrefix() string {
	prefix, _, _ := strings.Cut(q.gateway.domainName, ".")
	return prefix
}

// time is when the request came, as the Common Log Format has it.
func (q *request) time() string { return q.received.Format("02/Jan/2006:15:04:05 -0700") }

// hostOf returns an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}
