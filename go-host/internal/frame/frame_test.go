package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"rootbridge/internal/frame"
	"rootbridge/internal/vector"
)

// streamCase is one case of protocol/vectors/frames.json and before-hello.json.
type streamCase struct {
	ID         string      `json:"id"`
	Comment    string      `json:"comment"`
	Hex        string      `json:"hex"`
	MaxPayload int         `json:"max_payload"`
	ReadOnly   bool        `json:"read_only"`
	Skipped    *string     `json:"skipped"`
	Frames     []frameCase `json:"frames"`
	Result     string      `json:"result"` // valid, broken or truncated
	Error      []string    `json:"error"`  // parts of the error's text
}

type frameCase struct {
	Kind     int    `json:"kind"`
	Encoding string `json:"encoding"`
	ID       uint32 `json:"id"`
	Meta     string `json:"meta"`
	Payload  string `json:"payload"`
	Times    int    `json:"times"`
}

func TestFrameVectorsReadAsDescribed(t *testing.T) {
	t.Parallel()
	for _, c := range streamCases(t, "frames.json") {
		inPieces(t, c, func(t *testing.T, source io.Reader) {
			t.Helper()
			checkStream(t, c, frame.NewReader(source, c.MaxPayload))
		})
	}
}

func TestValidFrameVectorsAreWrittenByteForByte(t *testing.T) {
	t.Parallel()
	for _, c := range streamCases(t, "frames.json") {
		if c.Result != "valid" || c.ReadOnly {
			continue
		}
		var written []byte
		for _, f := range c.Frames {
			for range max(1, f.Times) {
				written = frame.Append(written, frame.Kind(f.Kind), encodingOf(t, f.Encoding), f.ID, unhex(t, f.Meta), unhex(t, f.Payload))
			}
		}
		if want := unhex(t, c.Hex); !bytes.Equal(written, want) {
			t.Errorf("%s: wrote %d bytes that differ from the vector's %d", c.ID, len(written), len(want))
		}
	}
}

func TestWhatWasPrintedBeforeHelloIsSkippedAsDescribed(t *testing.T) {
	t.Parallel()
	for _, c := range streamCases(t, "before-hello.json") {
		inPieces(t, c, func(t *testing.T, source io.Reader) {
			t.Helper()
			checkSkipping(t, c, source)
		})
	}
}

func checkSkipping(t *testing.T, c *streamCase, source io.Reader) {
	t.Helper()
	var skipped bytes.Buffer
	reader := frame.NewReader(source, frame.MaxHello)
	err := reader.SkipToHello(func(b []byte) { skipped.Write(b) })
	if c.Skipped != nil && skipped.String() != string(unhex(t, *c.Skipped)) {
		t.Errorf("skipped %d bytes %.40q, expected %d", skipped.Len(), skipped.String(), len(unhex(t, *c.Skipped)))
	}
	if err != nil {
		if len(c.Frames) > 0 {
			t.Fatalf("expected a hello, got %v", err)
		}
		checkEnd(t, c, err)
		return
	}
	checkStream(t, c, reader)
}

// inPieces runs check on the case's bytes as they may come: at once, one by one, with the end beside the last byte.
func inPieces(t *testing.T, c *streamCase, check func(t *testing.T, source io.Reader)) {
	t.Helper()
	t.Run(c.ID, func(t *testing.T) {
		t.Parallel()
		input := unhex(t, c.Hex)
		for name, source := range map[string]io.Reader{
			"whole":   bytes.NewReader(input),
			"bytes":   iotest.OneByteReader(bytes.NewReader(input)),
			"halves":  iotest.HalfReader(bytes.NewReader(input)),
			"dataErr": iotest.DataErrReader(bytes.NewReader(input)),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				check(t, source)
			})
		}
	})
}

func checkStream(t *testing.T, c *streamCase, reader *frame.Reader) {
	t.Helper()
	for i, want := range c.Frames {
		meta, payload := unhex(t, want.Meta), unhex(t, want.Payload)
		for range max(1, want.Times) {
			got, err := reader.Next()
			if err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			if int(got.Kind) != want.Kind || got.Encoding.String() != want.Encoding || got.ID != want.ID ||
				!bytes.Equal(got.Meta, meta) || !bytes.Equal(got.Payload, payload) {
				t.Fatalf("frame %d is %+v with %d bytes of meta and %d of payload, expected %+v", i, got.Header, len(got.Meta), len(got.Payload), want)
			}
		}
	}
	_, err := reader.Next()
	checkEnd(t, c, err)
}

func checkEnd(t *testing.T, c *streamCase, err error) {
	t.Helper()
	if c.Result == "valid" {
		if !errors.Is(err, io.EOF) {
			t.Errorf("expected the end of the stream, got %v", err)
		}
		return
	}
	var broken *frame.BrokenError
	if !errors.As(err, &broken) {
		t.Fatalf("expected broken framing, got %v", err)
	}
	if want := map[string]bool{"broken": false, "truncated": true}; broken.Truncated != want[c.Result] {
		t.Errorf("expected %s, got truncated=%v: %v", c.Result, broken.Truncated, err)
	}
	for _, part := range c.Error {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("expected an error with %q, got %v", part, err)
		}
	}
}

// FuzzReader checks that no input makes the reader panic, allocate beyond its limits, or read other frames than were sent.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"frames.json", "before-hello.json"} {
		for _, c := range streamCases(f, name) {
			if input := unhex(f, c.Hex); len(input) < 4096 {
				f.Add(input, 7)
			}
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, chunk int) {
		whole := readAll(t, bytes.NewReader(input))
		split := readAll(t, &chunks{input, 1 + (chunk&0xff+0x100)%0x100})
		if whole != split {
			t.Errorf("read in one piece:\n%s\nin pieces:\n%s", whole, split)
		}
		_ = frame.NewReader(bytes.NewReader(input), 1024).SkipToHello(func([]byte) {})
	})
}

// readAll describes what a stream holds, and checks that each frame can be written again.
func readAll(t *testing.T, source io.Reader) string {
	t.Helper()
	const maxPayload = 2048
	var text strings.Builder
	reader := frame.NewReader(source, maxPayload)
	for {
		got, err := reader.Next()
		if err != nil {
			var broken *frame.BrokenError
			text.WriteString(strconv.FormatBool(errors.As(err, &broken) && broken.Truncated))
			return text.String()
		}
		if len(got.Payload) > maxPayload || len(got.Meta) > frame.MaxMeta {
			t.Fatalf("a frame over the limits: %d and %d bytes", len(got.Meta), len(got.Payload))
		}
		text.WriteString(hex.EncodeToString(frame.Append(nil, got.Kind, got.Encoding, got.ID, got.Meta, got.Payload)) + "\n")
	}
}

type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

// streamCases also checks that a case says how its stream ends: an unknown word would be taken for any.
func streamCases(tb testing.TB, name string) []*streamCase {
	tb.Helper()
	cases, err := vector.Read[*streamCase](name)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range cases {
		if c.Result != "valid" && c.Result != "broken" && c.Result != "truncated" {
			tb.Fatalf("%s: %s: no result %q", name, c.ID, c.Result)
		}
	}
	return cases
}

func unhex(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := vector.Bytes(text)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func encodingOf(t *testing.T, name string) frame.Encoding {
	t.Helper()
	for _, e := range []frame.Encoding{frame.JSON, frame.MsgPack, frame.Raw, frame.Reserved} {
		if e.String() == name {
			return e
		}
	}
	t.Fatalf("no encoding %q", name)
	return 0
}
