//go:build unix

package conn_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"
	"weak"

	"rootbridge/internal/conn"
)

func TestASourceHasAllThatWasWrittenWhetherItPollsOrWaits(t *testing.T) {
	t.Parallel()
	for name, poll := range map[string]time.Duration{"polls": time.Millisecond, "polls for a moment": time.Microsecond, "waits": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w := openPipe(t)
			pieces := randomPieces()
			go func() {
				defer w.Close()
				for i, piece := range pieces {
					_, _ = w.Write(piece)
					if i%50 == 0 { // long enough for polls in vain, now and then
						time.Sleep(time.Duration(i) * time.Microsecond)
					}
				}
			}()
			got, err := io.ReadAll(conn.NewSource(r, poll))
			if want := bytes.Join(pieces, nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v; expected %d", len(got), err, len(want))
			}
		})
	}
}

func randomPieces() [][]byte {
	pieces := make([][]byte, 2_000)
	for i := range pieces {
		pieces[i] = bytes.Repeat([]byte{byte(i)}, rand.IntN(300))
	}
	return pieces
}

func TestAClosedPipeEndsASourceThatPolls(t *testing.T) {
	t.Parallel()
	r, w := openPipe(t)
	source := conn.NewSource(r, time.Millisecond)
	ended := make(chan error)
	go func() {
		var p [100]byte
		for {
			if _, err := source.Read(p[:]); err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 1_000 { // it polls
		if _, err := w.WriteString("x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// openPipe closes both ends after the test, where it has not.
func openPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}

func TestASourceKeepsNoReferenceToWhatItReadInto(t *testing.T) {
	t.Parallel()
	r, w := openPipe(t)
	source := conn.NewSource(r, time.Millisecond)
	for range 100 { // it polls
		if _, err := w.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	large := new([1 << 20]byte)
	gone := weak.Make(large)
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Read(large[:]); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	if gone.Value() != nil {
		t.Error("the memory is still in use")
	}
	runtime.KeepAlive(source)
}
