package rootbridge

import (
	"encoding/binary"
	"errors"
	"math"
)

var (
	errShortMsgPack = errors.New("the MessagePack value is not whole")
	errManyMsgPack  = errors.New("more than one value in a payload")
)

// checkMsgPack finds what isn't one whole value, or is nested too deeply, so that decoders need not look for it.
func checkMsgPack(b []byte) error {
	nesting := nesting{open: make([]uint64, 0, 32), limit: maxDepth}
	for {
		header, body, children, ok := msgPackItem(b)
		if !ok || header+body > uint64(len(b)) {
			return errShortMsgPack
		}
		b = b[header+body:]
		if err := nesting.add(children); err != nil {
			return err
		}
		if len(nesting.open) > 0 {
			continue
		}
		if len(b) > 0 {
			return errManyMsgPack
		}
		return nil
	}
}

// nesting keeps one counter for each open array or map: the items that are missing, innermost last.
type nesting struct {
	open  []uint64
	limit int // how many may be open
}

// add takes notice of the next item, which holds so many others.
func (n *nesting) add(children uint64) error {
	if last := len(n.open) - 1; last >= 0 {
		n.open[last]--
	}
	if children > 0 {
		if len(n.open) >= n.limit {
			return errTooDeep
		}
		n.open = append(n.open, children)
	}
	for len(n.open) > 0 && n.open[len(n.open)-1] == 0 {
		n.open = n.open[:len(n.open)-1]
	}
	return nil
}

// msgPackItem returns the size of the header and the body of the item at the start of b, and the number of its children,
// which follow it. The forms are those of the MessagePack specification.
func msgPackItem(b []byte) (header, body, children uint64, ok bool) {
	if len(b) == 0 {
		return 0, 0, 0, false
	}
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0: // fixint
		return 1, 0, 0, true
	case c < 0x90: // fixmap
		return 1, 0, 2 * uint64(c&0xf), true
	case c < 0xa0: // fixarray
		return 1, 0, uint64(c & 0xf), true
	case c < 0xc0: // fixstr
		return 1, uint64(c & 0x1f), 0, true
	case c <= 0xc3: // nil, never used, false, true
		return 1, 0, 0, true
	case c <= 0xc6: // bin 8 to 32
		return lengthItem(b, 1<<(c-0xc4), 0)
	case c <= 0xc9: // ext 8 to 32
		return lengthItem(b, 1<<(c-0xc7), 1)
	case c <= 0xcb: // float 32, 64
		return 1, 4 << (c - 0xca), 0, true
	case c <= 0xcf: // uint 8 to 64
		return 1, 1 << (c - 0xcc), 0, true
	case c <= 0xd3: // int 8 to 64
		return 1, 1 << (c - 0xd0), 0, true
	case c <= 0xd8: // fixext 1 to 16
		return 2, 1 << (c - 0xd4), 0, true
	case c <= 0xdb: // str 8 to 32
		return lengthItem(b, 1<<(c-0xd9), 0)
	case c <= 0xdd: // array 16, 32
		return childrenItem(b, 2<<(c-0xdc), 1)
	default: // map 16, 32
		return childrenItem(b, 2<<(c-0xde), 2)
	}
}

func lengthItem(b []byte, width, extra int) (header, body, children uint64, ok bool) {
	n, ok := bigEndian(b[1:], width)
	return uint64(1 + width + extra), n, 0, ok //nolint:gosec // small and positive
}

func childrenItem(b []byte, width int, each uint64) (header, body, children uint64, ok bool) {
	n, ok := bigEndian(b[1:], width)
	return uint64(1 + width), 0, n * each, ok //nolint:gosec // small and positive
}

func bigEndian(b []byte, width int) (uint64, bool) {
	if len(b) < width {
		return 0, false
	}
	var padded [8]byte
	copy(padded[8-width:], b[:width])
	return binary.BigEndian.Uint64(padded[:]), true
}

// itemKind is what an item is, whatever its size.
type itemKind int

const (
	itemUnused itemKind = iota
	itemNothing
	itemBool
	itemInteger
	itemFloat
	itemText
	itemBytes
	itemList
	itemMap
	itemExtension
)

func (k itemKind) String() string {
	return [...]string{"no value", "null", "a boolean", "a number", "a number", "text", "bytes", "a list", "an object", "an extension"}[k]
}

func kindOf(b []byte) itemKind {
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0 || c >= 0xcc && c <= 0xd3:
		return itemInteger
	case c < 0x90 || c >= 0xde:
		return itemMap
	case c < 0xa0 || c >= 0xdc:
		return itemList
	case c < 0xc0 || c >= 0xd9:
		return itemText
	case c == 0xc0:
		return itemNothing
	case c == 0xc1:
		return itemUnused
	case c <= 0xc3:
		return itemBool
	case c <= 0xc6:
		return itemBytes
	case c == 0xca || c == 0xcb:
		return itemFloat
	default:
		return itemExtension
	}
}

// msgPackInteger is the number of an integer item: signed if it is negative, else unsigned.
func msgPackInteger(item []byte) (signed int64, unsigned uint64) {
	switch c := item[0]; {
	case c < 0x80:
		return 0, uint64(c)
	case c >= 0xe0:
		return int64(int8(c)), 0 //nolint:gosec // its bits are those of an int8
	case c <= 0xcf:
		unsigned, _ = bigEndian(item[1:], len(item)-1)
		return 0, unsigned
	}
	bits, _ := bigEndian(item[1:], len(item)-1)
	shift := 64 - 8*(len(item)-1)
	signed = int64(bits<<shift) >> shift //nolint:gosec // extends the sign
	return min(signed, 0), uint64(max(signed, 0))
}

// msgPackFloat is the number of a float 32 or 64.
func msgPackFloat(item []byte) float64 {
	bits, _ := bigEndian(item[1:], len(item)-1)
	if item[0] == 0xca {
		return float64(math.Float32frombits(uint32(bits))) //nolint:gosec // of 4 bytes
	}
	return math.Float64frombits(bits)
}
