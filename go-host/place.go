package rootbridge

import (
	"fmt"
	"reflect"
)

// placeError is an error at a place inside of a value. The place grows on the way out: result.lines[2].id.
type placeError struct {
	place  string
	reason string // continues the place
	cause  error
}

func (e *placeError) Error() string { return e.place + e.reason }

func (e *placeError) Unwrap() error { return e.cause }

func misplaced(format string, args ...any) error {
	return &placeError{reason: fmt.Sprintf(format, args...)}
}

// causedBy gives another's error a place.
func causedBy(err error) error {
	if err == nil {
		return nil
	}
	return &placeError{reason: ": " + err.Error(), cause: err}
}

// within prepends a segment to the place.
func within(segment string, err error) error {
	if e, ok := err.(*placeError); ok { //nolint:errorlint // only as it is
		e.place = segment + e.place
	}
	return err
}

// keySegment is the part of a place that a map's key is.
func keySegment(key reflect.Value) string {
	if key.Kind() == reflect.Interface {
		key = key.Elem()
	}
	if key.Kind() == reflect.String {
		return fmt.Sprintf("[%q]", key)
	}
	return fmt.Sprintf("[%v]", key)
}
