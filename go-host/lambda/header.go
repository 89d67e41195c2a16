package lambda

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// headerOf returns the headers of an event, with those that net/http keeps elsewhere and those that gateways add, and the
// address that the request came from.
func (s *settings) headerOf(r *http.Request, bodySize int) (header http.Header, sourceIP string) {
	header = r.Header.Clone()
	dropHopByHop(header)
	header.Del("Expect") // has been met: the body is here
	if r.Host != "" {
		header.Set("Host", r.Host)
	}
	if bodySize > 0 { // frameworks tell by it that there is a body, and chunked ones have none
		header.Set("Content-Length", strconv.Itoa(bodySize))
	}
	return header, s.forward(header, r)
}

// hopByHop are the headers that concern one connection (RFC 9110, section 7.6.1, and RFC 2616, section 13.5.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func dropHopByHop(header http.Header) {
	for _, list := range header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
}

const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedPort  = "X-Forwarded-Port"
)

// forward says in header where the request came from, and returns the address.
func (s *settings) forward(header http.Header, r *http.Request) string {
	source := sourceOf(r)
	chain := strings.Join(header[forwardedFor], ", ")
	if s.trustsProxy && chain != "" {
		return hostOf(strings.TrimSpace(chain[strings.LastIndex(chain, ",")+1:]))
	}
	if chain != "" {
		chain += ", "
	}
	header.Set(forwardedFor, chain+source)
	header.Set(forwardedProto, schemeOf(r))
	header.Del(forwardedPort)
	if port := localPort(r); port != "" {
		header.Set(forwardedPort, port)
	}
	return source
}

// sourceOf is the address of who is connected. Who is connected to a unix socket has none, and is on this machine.
func sourceOf(r *http.Request) string {
	source := hostOf(r.RemoteAddr)
	if _, isUnix := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); !isUnix {
		return source
	}
	if _, err := netip.ParseAddr(source); err != nil { // middleware may know better
		return "127.0.0.1"
	}
	return source
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// localPort is the server's port, or "" for a unix socket.
func localPort(r *http.Request) string {
	address, isAddr := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !isAddr {
		return ""
	}
	_, port, _ := net.SplitHostPort(address.String())
	return port
}

// joined returns each header once, its values as one, with lower-case names.
func joined(header http.Header) map[string]string {
	all := make(map[string]string, len(header))
	for name, values := range header {
		all[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return all
}

// last returns the last of each key's values.
func last(values map[string][]string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	all := make(map[string]string, len(values))
	for key, list := range values {
		if len(list) > 0 { // middleware may leave a header without values
			all[key] = list[len(list)-1]
		}
	}
	return all
}

// respelled gives headers the names that HeaderNames has for them.
func respelled(header http.Header, names map[string]string) map[string][]string {
	all := make(map[string][]string, len(header))
	for name, values := range header {
		all[cmp.Or(names[name], name)] = values
	}
	return all
}

func lowerCase(header http.Header) map[string][]string {
	all := make(map[string][]string, len(header))
	for name, values := range header {
		all[strings.ToLower(name)] = values
	}
	return all
}
