package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

const maxBody = 1 << 20

// checked is a request body that knows what makes it whole.
type checked interface{ check() error }

func readJSON[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var value T
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return value, &requestError{http.StatusRequestEntityTooLarge, "the body has more than 1 MiB"}
	}
	if err != nil {
		return value, badRequest("the body can't be read: " + err.Error())
	}
	if err := json.Unmarshal(body, &value); err != nil {
		return value, badRequest("the body is not the expected JSON: " + err.Error())
	}
	if c, ok := any(value).(checked); ok && c.check() != nil {
		return value, badRequest(c.check().Error())
	}
	return value, nil
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // this is no page: let people read it
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return write(w, status, "application/json", body.Bytes())
}

// write returns no error for a client that has gone: there is no one left to tell.
func write(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}
