package frame_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"rootbridge/internal/frame"
)

// vector is one case of protocol/vectors/frames.json.
type vector struct {
	ID         string        `json:"id"`
	Comment    string        `json:"comment"`
	Hex        string        `json:"hex"`
	MaxPayload int           `json:"max_payload"`
	Frames     []vectorFrame `json:"frames"`
	Result     string        `json:"result"` // valid, broken or truncated
	Error      string        `json:"error"`  // part of the error's text
}

type vectorFrame struct {
	Kind     int    `json:"kind"`
	Encoding string `json:"encoding"`
	ID       uint32 `json:"id"`
	Meta     string `json:"meta"`
	Payload  string `json:"payload"` // hex
}

func TestFrameVectorsReadAsDescribed(t *testing.T) {
	t.Parallel()
	for _, v := range frameVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			input := unhex(t, v.Hex)
			for name, source := range map[string]io.Reader{
				"whole":   bytes.NewReader(input),
				"bytes":   iotest.OneByteReader(bytes.NewReader(input)),
				"halves":  iotest.HalfReader(bytes.NewReader(input)),
				"dataErr": iotest.DataErrReader(bytes.NewReader(input)),
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					checkVector(t, v, source)
				})
			}
		})
	}
}

func checkVector(t *testing.T, v vector, source io.Reader) {
	t.Helper()
	reader := frame.NewReader(source, v.MaxPayload)
	for i, want := range v.Frames {
		got, err := reader.Next()
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if int(got.Kind) != want.Kind || got.Encoding.String() != want.Encoding || got.ID != want.ID ||
			string(got.Meta) != want.Meta || !bytes.Equal(got.Payload, unhex(t, want.Payload)) {
			t.Errorf("frame %d is %+v, expected %+v", i, got, want)
		}
	}
	_, err := reader.Next()
	var broken *frame.BrokenError
	switch {
	case v.Result == "valid" && !errors.Is(err, io.EOF):
		t.Errorf("expected the end of the stream, got %v", err)
	case v.Result != "valid" && !errors.As(err, &broken):
		t.Errorf("expected broken framing, got %v", err)
	case v.Result != "valid" && broken.Truncated != (v.Result == "truncated"):
		t.Errorf("expected %s, got truncated=%v: %v", v.Result, broken.Truncated, err)
	case v.Result != "valid" && !strings.Contains(err.Error(), v.Error):
		t.Errorf("expected an error with %q, got %v", v.Error, err)
	}
}

func TestValidFrameVectorsAreWrittenByteForByte(t *testing.T) {
	t.Parallel()
	for _, v := range frameVectors(t) {
		if v.Result != "valid" || strings.HasPrefix(v.ID, "read-only") {
			continue
		}
		var written []byte
		for _, f := range v.Frames {
			written = frame.Append(written, frame.Kind(f.Kind), encodingOf(t, f.Encoding), f.ID, []byte(f.Meta), unhex(t, f.Payload))
		}
		if want := unhex(t, v.Hex); !bytes.Equal(written, want) {
			t.Errorf("%s: wrote %d bytes that differ from the vector's %d", v.ID, len(written), len(want))
		}
	}
}

func TestSkippingFindsTheFirstHelloBehindPrintedText(t *testing.T) {
	t.Parallel()
	hello := frame.Append(nil, frame.Hello, frame.JSON, 0, nil, []byte("{}"))
	for _, printed := range []string{
		"", "agent started\n", "\xff", "\xffR", "\xffRB", "\xffRB\x01", "\xffRB\x01\x03", "\xff\xff\xff", "\xffR\xffRB",
		strings.Repeat("x", 100_000),
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
		} {
			var skipped bytes.Buffer
			reader := frame.NewReader(wrap(strings.NewReader(printed+string(hello))), frame.MaxHello)
			if err := reader.SkipToHello(func(b []byte) { skipped.Write(b) }); err != nil {
				t.Fatalf("%q, %s: %v", printed, name, err)
			}
			if skipped.String() != printed {
				t.Errorf("%s: skipped %q, expected %q", name, skipped.String(), printed)
			}
			if f, err := reader.Next(); err != nil || f.Kind != frame.Hello {
				t.Errorf("%q, %s: after skipping came %+v, %v", printed, name, f, err)
			}
		}
	}
}

func TestSkippingGivesUpBeyondItsLimit(t *testing.T) {
	t.Parallel()
	reader := frame.NewReader(strings.NewReader(strings.Repeat("x", frame.MaxSkip+frame.HeaderSize+100_000)), frame.MaxHello)
	var broken *frame.BrokenError
	if err := reader.SkipToHello(func([]byte) {}); !errors.As(err, &broken) {
		t.Errorf("expected broken framing, got %v", err)
	}
}

func TestSkippingHandsOutAllTextBeforeAnEnd(t *testing.T) {
	t.Parallel()
	var skipped bytes.Buffer
	reader := frame.NewReader(strings.NewReader("Error: no such file\xffRB"), frame.MaxHello)
	if err := reader.SkipToHello(func(b []byte) { skipped.Write(b) }); !errors.Is(err, io.EOF) {
		t.Errorf("expected the end of the stream, got %v", err)
	}
	if skipped.String() != "Error: no such file\xffRB" {
		t.Errorf("skipped %q", skipped.String())
	}
}

// FuzzReader checks that no input makes the reader panic, allocate beyond its limits, or read other frames than were sent.
func FuzzReader(f *testing.F) {
	for _, v := range frameVectors(f) {
		if len(v.Hex) < 4096 {
			f.Add(unhex(f, v.Hex), 7)
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
			text.WriteString(err.Error())
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

func frameVectors(t testing.TB) []vector {
	t.Helper()
	content, err := os.ReadFile("../../../protocol/vectors/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []vector `json:"cases"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("no vectors")
	}
	return file.Cases
}

// unhex reads hex in which "(ab*1000)" stands for the bytes ab a thousand times, and blanks mean nothing.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var out []byte
	text = strings.ReplaceAll(text, " ", "")
	for text != "" {
		if text[0] != '(' {
			end := strings.IndexByte(text+"(", '(')
			out = append(out, mustHex(t, text[:end])...)
			text = text[min(end, len(text)):]
			continue
		}
		inside, rest, _ := strings.Cut(text[1:], ")")
		unit, times, _ := strings.Cut(inside, "*")
		var n int
		if err := json.Unmarshal([]byte(times), &n); err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Repeat(mustHex(t, unit), n)...)
		text = rest
	}
	return out
}

func mustHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
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
