package frame

import "sync"

// Sizes in bytes of the buffers for payloads that are used again: what is in the processor's cache already, or at least in
// memory, is faster than what is new. A larger payload has a buffer of its own.
const (
	smallSize  = 4 << 10
	mediumSize = 64 << 10
	largeSize  = 1 << 20
)

var (
	small  = sync.Pool{New: func() any { return new([smallSize]byte) }}
	medium = sync.Pool{New: func() any { return new([mediumSize]byte) }}
	large  = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

// newPayload returns room for n bytes, which hold anything.
func newPayload(n int) []byte {
	switch {
	case n <= smallSize:
		return small.Get().(*[smallSize]byte)[:n] //nolint:errcheck // the pool holds nothing else
	case n <= mediumSize:
		return medium.Get().(*[mediumSize]byte)[:n] //nolint:errcheck // as above
	case n <= largeSize:
		return large.Get().(*[largeSize]byte)[:n] //nolint:errcheck // as above
	default:
		return make([]byte, n)
	}
}

// Keep returns the same bytes for whoever may keep them for long: a buffer that is used again is given back.
func Keep(payload []byte) []byte {
	if size := cap(payload); size != smallSize && size != mediumSize && size != largeSize {
		return payload
	}
	own := append([]byte(nil), payload...) // which clears no memory before
	Recycle(payload)
	return own[:len(own):len(own)]
}

// Recycle gives a payload of Next back. Nothing may refer to it any more.
func Recycle(payload []byte) {
	switch cap(payload) {
	case smallSize:
		small.Put((*[smallSize]byte)(payload[:smallSize]))
	case mediumSize:
		medium.Put((*[mediumSize]byte)(payload[:mediumSize]))
	case largeSize:
		large.Put((*[largeSize]byte)(payload[:largeSize]))
	}
}
