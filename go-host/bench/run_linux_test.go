package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiguresThatCannotBePrintedAreAnError(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	out := filepath.Join(t.TempDir(), "results.json")
	for _, args := range [][]string{nil, {"--out", out}} {
		cmd := benchCommand(args...)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &said
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "expected to print the figures: write /dev/stdout: no space left") {
			t.Errorf("with %v: %v, and said %s", args, err, &said)
		}
	}
	if text, err := os.ReadFile(out); err != nil || !strings.Contains(string(text), `"goja"`) {
		t.Errorf("the file has %s: %v", text, err)
	}
}

// benchCommand measures as little as it can, but for what args say.
func benchCommand(args ...string) *exec.Cmd {
	little := []string{"run", "--contenders=goja", "--works=validate", "--callers=16", "--rounds=1", "--duration=1ms", "--calls"}
	return exec.Command(os.Args[0], append(little, args...)...)
}
