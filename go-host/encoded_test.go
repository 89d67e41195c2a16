package rootbridge_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rootbridge"
)

func TestWhatIsEncodedPassesThroughAndTheResultNamesItsCodec(t *testing.T) {
	t.Parallel()
	host := start(t, `
		export const echo = (v) => v;
		export const kind = (v) => Buffer.isBuffer(v) ? 'bytes' : typeof v;
		export const nothing = () => {};`, with(func(o *rootbridge.Options) { o.Codec = rootbridge.MsgPack }))
	for _, test := range []struct {
		method   string
		in, want rootbridge.Encoded
		wanted   rootbridge.Codec
	}{
		{"echo", asJSON(`{"b":1e2,"a":[]}`), asJSON(`{"b":100,"a":[]}`), ""},
		{"echo", asJSON(`{"a":1}`), asMsgPack("\x81\xa1a\x01"), rootbridge.MsgPack},
		{"echo", asMsgPack("\x81\xa1a\x01"), asMsgPack("\x81\xa1a\x01"), ""},
		{"echo", asMsgPack("\x81\xa1a\x01"), asJSON(`{"a":1}`), rootbridge.JSON},
		{"echo", asRaw("\x00\xff"), asRaw("\x00\xff"), rootbridge.JSON},
		{"kind", asRaw(""), asJSON(`"bytes"`), rootbridge.JSON},
		{"kind", asRaw("a"), asMsgPack("\xa5bytes"), ""},
		{"kind", asJSON(""), asJSON(`"undefined"`), ""},
		{"kind", asMsgPack(""), asJSON(`"undefined"`), rootbridge.JSON},
		{"nothing", asJSON("1"), asJSON(""), ""},
	} {
		t.Run(fmt.Sprintf("%s of %s as %q", test.method, test.in, test.wanted), func(t *testing.T) {
			t.Parallel()
			got := rootbridge.Encoded{Codec: test.wanted}
			if err := host.Call(t.Context(), test.method, test.in, &got); err != nil {
				t.Fatal(err)
			}
			if got.Codec != test.want.Codec || !bytes.Equal(got.Bytes, test.want.Bytes) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestWhatIsEncodedOtherwiseThanItSaysIsRefused(t *testing.T) {
	t.Parallel()
	host := start(t, `export const echo = (v) => v;`, with(func(o *rootbridge.Options) { o.Codec = rootbridge.MsgPack }))
	for _, in := range []rootbridge.Encoded{
		asJSON(`{"a":`), asJSON(strings.Repeat("[", 2001) + strings.Repeat("]", 2001)),
		asMsgPack("\x81\xa1a"), asMsgPack("\x01\x02"), asMsgPack("\x91\xa1\xff"), asMsgPack(strings.Repeat("\x91", 2001) + "\x01"),
		{Codec: "xml"},
		{},
	} {
		expectCode(t, host.Call(t.Context(), "echo", in, nil), rootbridge.CodeInvalidArgument)
	}
}

func TestAHostOfJSONTakesNoMessagePackThatIsEncodedAlready(t *testing.T) {
	t.Parallel()
	host := start(t, `export const echo = (v) => v;`)
	expectCode(t, host.Call(t.Context(), "echo", asMsgPack("\x01"), nil), rootbridge.CodeInvalidArgument, "Options.Codec")
	got := rootbridge.Encoded{Codec: rootbridge.MsgPack}
	if err := host.Call(t.Context(), "echo", asJSON("1"), &got); err != nil || got.Codec != rootbridge.JSON {
		t.Errorf("got %s, %v", got, err)
	}
}

func asJSON(text string) rootbridge.Encoded {
	return rootbridge.Encoded{Codec: rootbridge.JSON, Bytes: []byte(text)}
}

func asMsgPack(text string) rootbridge.Encoded {
	return rootbridge.Encoded{Codec: rootbridge.MsgPack, Bytes: []byte(text)}
}

func asRaw(text string) rootbridge.Encoded {
	return rootbridge.Encoded{Codec: rootbridge.Raw, Bytes: []byte(text)}
}
