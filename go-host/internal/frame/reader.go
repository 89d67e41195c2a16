package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// readSize is the room for one read: several hundred small frames, as much as a default pipe holds.
const readSize = 64 << 10

// helloStart is how many bytes show the start of a hello: magic, version (any: Next reports a foreign one) and kind.
const helloStart = 5

// Frame is one frame as it was read. Meta is valid until the next call of Next. Payload belongs to the caller, who may
// give it back with Recycle.
type Frame struct {
	Header
	Meta    []byte
	Payload []byte
}

// Reader cuts a byte stream into frames. It never holds more than readSize bytes and one frame within the limits.
// It is not safe for concurrent use.
type Reader struct {
	source     io.Reader
	maxPayload int
	buffer     []byte
	start, end int // buffer[start:end] has been read from source and not yet consumed
	meta       []byte
}

// NewReader returns a Reader that allows payloads of up to maxPayload bytes.
func NewReader(source io.Reader, maxPayload int) *Reader {
	return &Reader{source: source, maxPayload: maxPayload, buffer: make([]byte, readSize)}
}

// SetMaxPayload changes the limit for the frames that follow.
func (r *Reader) SetMaxPayload(maxPayload int) { r.maxPayload = maxPayload }

// Next returns the next frame. It returns io.EOF at the end of the stream between two frames, a *BrokenError for broken
// framing (an end inside a frame included), and the source's own error otherwise.
func (r *Reader) Next() (Frame, error) {
	if err := r.fillHeader(); err != nil {
		return Frame{}, err
	}
	header, err := ParseHeader(r.buffer[r.start:r.end], r.maxPayload)
	if err != nil {
		return Frame{}, err
	}
	r.start += HeaderSize
	frame := Frame{Header: header}
	if frame.Meta, err = r.takeMeta(header.MetaLength); err != nil {
		return Frame{}, err
	}
	frame.Payload, err = r.takePayload(header.PayloadLength)
	return frame, err
}

// SkipToHello consumes everything before the first hello frame and hands it to skipped in pieces, which are valid only
// during that call. It gives up with a *BrokenError after MaxSkip bytes, and returns io.EOF if the stream ends first.
func (r *Reader) SkipToHello(skipped func([]byte)) error {
	total := 0
	for {
		n, found := findHello(r.buffer[r.start:r.end])
		if n > 0 {
			skipped(r.buffer[r.start : r.start+n])
		}
		r.start += n
		total += n
		if total > MaxSkip {
			return &BrokenError{Reason: fmt.Sprintf("no hello frame in the first %d bytes of the worker's output", MaxSkip)}
		}
		if found {
			return nil
		}
		if err := r.read(); err != nil {
			skipped(r.buffer[r.start:r.end])
			r.start = r.end
			return err
		}
	}
}

// findHello returns how many bytes of b are surely before a hello, and whether one follows them.
func findHello(b []byte) (before int, found bool) {
	for {
		at := bytes.Index(b[before:], []byte(Magic))
		if at < 0 {
			return max(before, len(b)-len(Magic)+1), false
		}
		before += at
		if len(b)-before < helloStart {
			return before, false
		}
		if Kind(b[before+helloStart-1]) == Hello {
			return before, true
		}
		before++
	}
}

// fillHeader makes a whole header available in the buffer. It does not wait for one behind bytes that start none.
func (r *Reader) fillHeader() error {
	for r.end-r.start < HeaderSize {
		if err := checkStart(r.buffer[r.start:r.end]); err != nil {
			return err
		}
		if err := r.read(); err != nil {
			return r.atEnd(err)
		}
	}
	return nil
}

// read reads once from the source into the free part of the buffer, after moving what is left to its front.
func (r *Reader) read() error {
	if r.start > 0 {
		r.end = copy(r.buffer, r.buffer[r.start:r.end])
		r.start = 0
	}
	n, err := r.source.Read(r.buffer[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// atEnd tells an end between two frames from an end inside one.
func (r *Reader) atEnd(err error) error {
	if errors.Is(err, io.EOF) && r.end > r.start {
		return &BrokenError{Reason: "the stream ends inside a frame's header", Truncated: true}
	}
	return err
}

func (r *Reader) takeMeta(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if cap(r.meta) < n {
		r.meta = make([]byte, max(n, 512))
	}
	meta := r.meta[:n]
	return meta, r.takeInto(meta)
}

func (r *Reader) takePayload(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	payload := newPayload(n)
	return payload, r.takeInto(payload)
}

// takeInto fills dst from the buffer and, beyond that, straight from the source.
func (r *Reader) takeInto(dst []byte) error {
	n := copy(dst, r.buffer[r.start:r.end])
	r.start += n
	if n == len(dst) {
		return nil
	}
	if _, err := io.ReadFull(r.source, dst[n:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &BrokenError{Reason: "the stream ends inside a frame", Truncated: true}
		}
		return err
	}
	return nil
}
