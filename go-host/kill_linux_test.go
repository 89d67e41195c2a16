package rootbridge_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"rootbridge"
)

// The program is this test's binary in another role: it runs one call that never ends, and is killed.
func TestAWorkerInAnEndlessLoopEndsWhenItsHostIsKilled(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROOTBRIDGE_TEST_ROLE") == "spinning" {
		playSpinning()
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAWorkerInAnEndlessLoopEndsWhenItsHostIsKilled$")
	self.Env = append(os.Environ(), "ROOTBRIDGE_TEST_ROLE=spinning")
	stdout, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	var worker int
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "spinning in %d", &worker); err == nil {
			break
		}
	}
	if worker == 0 {
		t.Fatal("the program did not say where it spins")
	}
	_ = self.Process.Kill()
	_ = self.Wait()
	eventually(t, "the worker is gone", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", worker))
		return syscall.Kill(worker, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ")
	})
}

func playSpinning() {
	o := rootbridge.Options{Source: `export const spin = () => { for (;;); };`, Workers: 1}
	onTestNode(&o)
	host, err := rootbridge.Start(context.Background(), o)
	if err != nil {
		panic(err)
	}
	fmt.Println("spinning in", host.Stats().Workers[0].PID) //nolint:forbidigo // the parent test reads it
	_ = host.Call(context.Background(), "spin", nil, nil)
}
