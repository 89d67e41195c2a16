package process_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"rootbridge/internal/process"
)

// The program itself is killed here, so it runs as a process of its own: this test's binary in another role.
func TestWorkersEndWhenTheirHostIsKilled(t *testing.T) {
	t.Parallel()
	if os.Getenv(role) == "host" {
		playHost()
	}
	self := exec.Command(os.Args[0], "-test.run=^TestWorkersEndWhenTheirHostIsKilled$")
	self.Env = append(os.Environ(), role+"=host")
	stdout, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	var worker int
	if _, err := fmt.Fscanln(stdout, &worker); err != nil {
		t.Fatal(err)
	}
	_ = self.Process.Kill()
	_ = self.Wait()
	awaitGone(t, worker)
}

// playHost starts a worker that reads nothing and ignores what can be ignored, and waits to be killed.
func playHost() {
	spawner := process.NewSpawner()
	p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", "trap '' TERM HUP INT; while :; do :; done"}}, discard)
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID()) //nolint:forbidigo // the parent test reads it
	select {}
}
