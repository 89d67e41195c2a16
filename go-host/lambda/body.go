package lambda

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"rootbridge"
)

// readBody reads at most limit bytes. How long it may take is the server's ReadTimeout.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit { // one that waits for "100 Continue" never sends it
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Reason: "the body is too large"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Reason: "the body is too large", err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &Error{Status: http.StatusRequestTimeout, Reason: "the body took too long", err: err}
	case r.Context().Err() != nil:
		return nil, &rootbridge.Error{Code: rootbridge.CodeCanceled, Message: "the client went away before its request was whole"}
	}
	return nil, &Error{Status: http.StatusBadRequest, Reason: "the body can't be read", err: err}
}

// bodyText returns a body as an event has it.
func (s *settings) bodyText(header http.Header, body []byte) (text string, isBase64 bool) {
	if len(body) > 0 && (!utf8.Valid(body) || s.isBinary(header)) {
		return base64.StdEncoding.EncodeToString(body), true
	}
	return string(body), false
}

// isBinary follows binaryMediaTypes, or else the rule of the ELB guide, which HTTP APIs and function URLs share: what is
// compressed, and what is none of textTypes.
func (s *settings) isBinary(header http.Header) bool {
	mediaType := mediaTypeOf(header)
	if s.binaryTypes != nil {
		return slices.ContainsFunc(s.binaryTypes, func(each string) bool { return matches(mediaType, strings.ToLower(each)) })
	}
	if !s.textByType {
		return false
	}
	isText := strings.HasPrefix(mediaType, "text/") || slices.Contains(textTypes, mediaType)
	return header.Get("Content-Encoding") != "" || !isText
}

var textTypes = []string{jsonType, "application/javascript", "application/xml"}

// mediaTypeOf returns a body's type without parameters. Where there is none, API Gateway takes JSON.
func mediaTypeOf(header http.Header) string {
	value := header.Get("Content-Type")
	if value == "" {
		return jsonType
	}
	mediaType, _, _ := strings.Cut(value, ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// matches knows "*/*" and "image/*".
func matches(mediaType, pattern string) bool {
	if group, isGroup := strings.CutSuffix(pattern, "*"); isGroup {
		return group == "*/" || strings.HasPrefix(mediaType, group)
	}
	return mediaType == pattern
}
