package main

import (
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
)

// guard decides who may ask for what can change or reveal something.
type guard struct {
	tokens      *tokens // nil without --token-file
	checksHost  bool    // on a port of this machine that anyone on it may use: a browser's page must not
	crossOrigin *http.CrossOriginProtection
	logger      *slog.Logger
}

func (g guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failed := g.refuses(r); failed != nil {
			answerError(w, failed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g guard) refuses(r *http.Request) *failure {
	if g.checksHost && !isLocalName(r.Host) {
		return &failure{status: http.StatusForbidden, code: "forbidden", message: "expected localhost or a loopback address in Host; a web page may be behind this request"}
	}
	if g.isOfAnotherSite(r) {
		return &failure{status: http.StatusForbidden, code: "forbidden", message: "a web page of another origin may not call this"}
	}
	return refuseWithoutToken(g.tokens, r, g.logger)
}

// isOfAnotherSite holds for all methods: what the check lets through as safe tells a page of the code here.
func (g guard) isOfAnotherSite(r *http.Request) bool {
	unsafe := http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host, URL: r.URL}
	return g.crossOrigin.Check(&unsafe) != nil
}

// refuseWithoutToken lets all pass where there are no tokens.
func refuseWithoutToken(known *tokens, r *http.Request, logger *slog.Logger) *failure {
	if known == nil {
		return nil
	}
	if !known.opens(r.Header.Get("Authorization"), logger) {
		return &failure{status: http.StatusUnauthorized, code: "unauthenticated", message: "expected the header Authorization: Bearer TOKEN with a token of --token-file"}
	}
	return nil
}

// isLocalName finds names that only lead to this machine. Other names may have been made to lead here by who owns them, so
// that a browser takes this for a part of their site.
func isLocalName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}

// refusingOddPaths answers paths with dot segments or empty ones, however they are escaped, before anybody makes something
// else of them, such as a redirect to where they lead.
func refusingOddPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path.Clean(r.URL.Path) || strings.ContainsRune(r.URL.Path, 0) {
			answerError(w, invalid("expected a path such as /call/METHOD, without empty or dot segments"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
