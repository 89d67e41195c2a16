// Package frame reads and writes the frames of the Rootbridge protocol, version 1 (protocol/README.md, section 2).
// It knows sizes and kinds, not what a payload means.
package frame

import (
	"encoding/binary"
	"fmt"
)

// Sizes in bytes (protocol/README.md, sections 2 and 10).
const (
	HeaderSize        = 16
	MaxMeta           = 16_384
	MaxHello          = 1 << 20
	MaxSkip           = 1 << 20
	MaxPing           = 64
	MaxError          = 65_536
	MaxLog            = 32_768
	MaxStats          = 4_096
	MinMaxPayload     = 1_024
	DefaultMaxPayload = 32 << 20
	MaxMaxPayload     = 1 << 30
)

// Version is the protocol's version, sent in every header.
const Version = 1

// Magic starts every frame. Its first byte occurs in no UTF-8 text.
const Magic = "\xffRB"

// Kind says what a frame is for.
type Kind uint8

// The kinds of protocol/README.md, section 3.
const (
	Hello  Kind = 1
	Ready  Kind = 2
	Call   Kind = 3
	Reply  Kind = 4
	Error  Kind = 5
	Cancel Kind = 6
	Chunk  Kind = 7
	Credit Kind = 8
	Log    Kind = 9
	Ping   Kind = 10
	Pong   Kind = 11
	Goaway Kind = 12
	Stats  Kind = 13
)

// Encoding says how a payload is to be read.
type Encoding uint8

// The encodings of protocol/README.md, section 5.
const (
	JSON     Encoding = 0
	MsgPack  Encoding = 1
	Raw      Encoding = 2
	Reserved Encoding = 3
)

const encodingMask = 0b11

// String returns the encoding's name in hello and meta.
func (e Encoding) String() string {
	return [...]string{"json", "msgpack", "raw", "reserved"}[e&encodingMask]
}

// MaxCallID is the highest id of a call from host to worker; those above are for calls the other way.
const MaxCallID = 1<<31 - 1

// Header is the fixed part of a frame.
type Header struct {
	Kind          Kind
	Encoding      Encoding
	ID            uint32
	MetaLength    int
	PayloadLength int
}

// BrokenError reports broken framing: nothing after it on the connection can be trusted.
type BrokenError struct {
	Reason    string
	Truncated bool // the stream ended inside a frame
}

func (e *BrokenError) Error() string { return "broken framing: " + e.Reason }

// AppendHeader appends a frame's header to dst. The caller has checked the lengths against the limits.
func AppendHeader(dst []byte, h Header) []byte {
	dst = append(dst, Magic[0], Magic[1], Magic[2], Version, byte(h.Kind), byte(h.Encoding))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.MetaLength)) //nolint:gosec // at most MaxMeta
	dst = binary.BigEndian.AppendUint32(dst, h.ID)
	return binary.BigEndian.AppendUint32(dst, uint32(h.PayloadLength)) //nolint:gosec // at most MaxMaxPayload
}

// Append appends a whole frame to dst.
func Append(dst []byte, kind Kind, encoding Encoding, id uint32, meta, payload []byte) []byte {
	dst = AppendHeader(dst, Header{kind, encoding, id, len(meta), len(payload)})
	dst = append(dst, meta...)
	return append(dst, payload...)
}

// ParseHeader reads a header from the first HeaderSize bytes of b and checks it against the limits.
// Its errors are of type *BrokenError.
func ParseHeader(b []byte, maxPayload int) (Header, error) {
	if err := checkStart(b[:HeaderSize]); err != nil {
		return Header{}, err
	}
	metaLength := int(binary.BigEndian.Uint16(b[6:]))
	if metaLength > MaxMeta {
		return Header{}, &BrokenError{Reason: fmt.Sprintf("meta of %d bytes is over the limit of %d", metaLength, MaxMeta)}
	}
	payloadLength := binary.BigEndian.Uint32(b[12:])
	if uint64(payloadLength) > uint64(maxPayload) { //nolint:gosec // maxPayload is positive
		return Header{}, &BrokenError{Reason: fmt.Sprintf("payload of %d bytes is over the limit of %d", payloadLength, maxPayload)}
	}
	return Header{
		Kind:          Kind(b[4]),
		Encoding:      Encoding(b[5] & encodingMask),
		ID:            binary.BigEndian.Uint32(b[8:]),
		MetaLength:    metaLength,
		PayloadLength: int(payloadLength),
	}, nil
}

// checkStart checks as much of magic and version as b has of them, so that text in place of frames is told at once.
func checkStart(b []byte) error {
	if n := min(len(b), len(Magic)); string(b[:n]) != Magic[:n] {
		return &BrokenError{Reason: fmt.Sprintf("expected the magic ff 52 42 of a frame, got %q", b[:min(len(b), HeaderSize)])}
	}
	if len(b) > len(Magic) && b[len(Magic)] != Version {
		return &BrokenError{Reason: fmt.Sprintf("the peer speaks protocol version %d, this side speaks version %d; use matching releases on both sides", b[len(Magic)], Version)}
	}
	return nil
}
