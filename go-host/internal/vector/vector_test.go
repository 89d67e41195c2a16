package vector_test

import (
	"strings"
	"testing"

	"rootbridge/internal/vector"
)

func TestHexStandsForBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "61 62": "ab", "6162 (63*3)64": "abcccd", "(6162*2)(63*1)": "ababc",
	} {
		if got, err := vector.Bytes(text); err != nil || string(got) != want {
			t.Errorf("%q is %q, %v, expected %q", text, got, err, want)
		}
	}
}

func TestHexWithAMistakeIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"6", "6g", "(61)", "(61*)", "(61*0)", "(61*-1)", "(61*3", "61)", "(6*2)", "(61*99999999999)"} {
		if got, err := vector.Bytes(text); err == nil {
			t.Errorf("%q is %d bytes, expected an error", text, len(got))
		}
	}
}

func TestUnknownKeysAreAnError(t *testing.T) {
	t.Parallel()
	var out struct {
		ID string `json:"id"`
	}
	if err := vector.Unmarshal([]byte(`{"id":"a","exspect":1}`), &out); err == nil || !strings.Contains(err.Error(), "exspect") {
		t.Errorf("got %v, expected an error that names the key", err)
	}
	if _, err := vector.Read[struct{}]("frames.json"); err == nil {
		t.Error("expected an error for cases whose keys nobody reads")
	}
}
