package lambda

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// answer is a response that is known to be sound.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// parse reads what a handler answered. Its errors are of status 502.
func (t translation) parse(result json.RawMessage) (*answer, error) {
	if !json.Valid(result) {
		return nil, unsound("expected a result of JSON")
	}
	var fields map[string]json.RawMessage // its keys are exact, unlike a struct's
	if kindOf(result) == "object" {
		_ = json.Unmarshal(result, &fields) // it is valid
	}
	if status, hasStatus := fields["statusCode"]; hasStatus {
		return t.parseResponse(status, fields)
	}
	if !t.infers {
		return nil, unsound("expected an object with a statusCode, got %s", article(result))
	}
	return inferred(result), nil
}

// streamed is what a handler has streamed without a status: bytes, of Lambda's type for streams if it has set none.
func streamed(bytes []byte, contentType string) (*answer, error) {
	if !isValue(contentType) {
		return nil, unsound("expected the content type of a stream to have no control characters")
	}
	if contentType == preludeType {
		return nil, unsound("expected the status and headers of a stream to end with eight zero bytes")
	}
	header := http.Header{"Content-Type": {cmp.Or(strings.TrimSpace(contentType), bytesType)}}
	return &answer{status: http.StatusOK, header: header, body: bytes}, nil
}

// preludeType is what a stream has whose first part is a status and headers (Lambda guide, "Response streaming"). The worker
// has taken that part off where it is whole.
const preludeType = "application/vnd.awslambda.http-integration-response"

// inferred makes a response of a result that is none, by the rule of payload format 2.0: a text is the body as it is, and
// everything else as JSON.
func inferred(result json.RawMessage) *answer {
	a := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {jsonType}}, body: result}
	if kindOf(result) == "string" {
		a.body = []byte(textOf(result))
	}
	return a
}

func (t translation) parseResponse(status json.RawMessage, fields map[string]json.RawMessage) (*answer, error) {
	var a answer
	var err error
	if a.status, err = parseStatus(status); err != nil {
		return nil, err
	}
	if a.header, err = parseHeader(fields); err != nil {
		return nil, err
	}
	if a.body, err = parseBody(fields["body"], fields["isBase64Encoded"]); err != nil {
		return nil, err
	}
	if a.header["Content-Type"] == nil && hasContent(a.status) {
		a.header.Set("Content-Type", t.contentType) // else net/http would guess at the body, and see pages
	}
	return &a, nil
}

// parseStatus takes numbers and texts of digits, as API Gateway does, from 200 to 599: an interim one (1xx) is not the end of
// a response.
func parseStatus(text json.RawMessage) (int, error) {
	digits := string(text)
	if kindOf(text) == "string" {
		digits = textOf(text)
	}
	status, err := strconv.Atoi(digits)
	if err != nil || status < 200 || status > 599 || len(digits) != 3 {
		return 0, unsound("expected a statusCode from 200 to 599, got %s", clipped(text))
	}
	return status, nil
}

func parseBody(body, isBase64 json.RawMessage) ([]byte, error) {
	if len(body) == 0 || kindOf(body) == "null" {
		return nil, nil
	}
	if kindOf(body) != "string" {
		return nil, unsound("expected body to be a string, got %s; JSON.stringify makes one", article(body))
	}
	text := textOf(body)
	switch string(isBase64) {
	case "", "null", "false":
		return []byte(text), nil
	case "true":
	default:
		return nil, unsound("expected isBase64Encoded to be true or false, got %s", article(isBase64))
	}
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, unsound("expected body to be base64, as isBase64Encoded says: %v", err)
	}
	return bytes, nil
}

// hasContent tells whether responses of a status may have a body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
func hasContent(status int) bool {
	return status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}

func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for name, values := range a.header {
		if name == "Set-Cookie" { // each is another
			values = append(header[name], values...)
		}
		header[name] = values
	}
	a.setLength(header, r.Method)
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead && hasContent(a.status) {
		_, _ = w.Write(a.body) //nolint:gosec // the body is the handler's, and its type is never guessed; of a client that has gone there is no one left to tell
	}
}

// setLength keeps the handler's own Content-Length only for HEAD, where it may know the length of a body that it left out.
func (a *answer) setLength(header http.Header, method string) {
	if method == http.MethodHead && len(a.body) == 0 && isLength(header.Get("Content-Length")) {
		return
	}
	header.Del("Content-Length")
	if hasContent(a.status) {
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
}

func isLength(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}
