package frame

import (
	"bytes"
	"math/bits"
	"sync"
)

// Sizes in bytes of the buffers for payloads that are used again: memory that was used a moment ago is faster than new memory.
// They are the powers of two from small to largest. A larger payload has a buffer of its own.
const (
	smallSize   = 4 << 10
	largestSize = 1 << 20
)

var (
	// An array costs no allocation when it is given back, as a slice's header does.
	small  = sync.Pool{New: func() any { return new([smallSize]byte) }}
	larger [9]sync.Pool // of *[]byte, by classOf
	// headers points to none: they are of buffers in use, and kept so that these cost no allocation either.
	headers = sync.Pool{New: func() any { return new([]byte) }}
)

// newPayload returns room for n bytes, which hold anything.
func newPayload(n int) []byte {
	switch {
	case n <= smallSize:
		return small.Get().(*[smallSize]byte)[:n] //nolint:errcheck // the pool holds nothing else
	case n > largestSize:
		return make([]byte, n)
	}
	class := classOf(n)
	if buffer, ok := larger[class].Get().(*[]byte); ok {
		payload := (*buffer)[:n]
		*buffer = nil
		headers.Put(buffer)
		return payload
	}
	return make([]byte, n, smallSize<<class)
}

// classOf is how often smallSize has to be doubled for n bytes to fit.
func classOf(n int) int { return bits.Len(uint(n-1)) - bits.Len(uint(smallSize-1)) }

// Keep returns the same bytes for whoever may keep them for long: a buffer that is used again is given back.
func Keep(payload []byte) []byte {
	if size := cap(payload); size == 0 || size > largestSize {
		return payload
	}
	own := bytes.Clone(payload)
	Recycle(payload)
	return own
}

// Recycle gives a payload of Next back, once. Nothing may refer to it any more.
func Recycle(payload []byte) {
	switch size := cap(payload); {
	case size == smallSize:
		small.Put((*[smallSize]byte)(payload[:smallSize]))
	case size > smallSize && size <= largestSize:
		header := headers.Get().(*[]byte) //nolint:errcheck // the pool holds nothing else
		*header = payload[:size]
		larger[classOf(size)].Put(header)
	}
}
