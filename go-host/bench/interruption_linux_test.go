package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestAnInterruptionIsToldOnceAndLeavesNoFileWithoutFigures(t *testing.T) {
	t.Parallel()
	measuring := []string{"run", "--works=echo-100B", "--callers=1", "--contenders=node-http,grpc,goja"}
	starting := []string{"run", "--works=validate", "--callers=16", "--contenders=goja,exec", "--rounds=1", "--duration=1ms"}
	for name, c := range map[string]struct {
		args    []string
		signals []syscall.Signal
		send    func(pid int, s syscall.Signal) error
		code    int
	}{
		"Ctrl-C before figures":    {measuring, []syscall.Signal{syscall.SIGINT}, fromTerminal, 130},
		"SIGTERM before figures":   {measuring, []syscall.Signal{syscall.SIGTERM}, syscall.Kill, 143},
		"a hang-up before figures": {measuring, []syscall.Signal{syscall.SIGHUP}, fromTerminal, 129},
		"Ctrl-C after figures":     {starting, []syscall.Signal{syscall.SIGINT}, fromTerminal, 130},
		"SIGTERM after figures":    {starting, []syscall.Signal{syscall.SIGTERM}, syscall.Kill, 143},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "results.json")
			cmd := exec.Command(os.Args[0], append(c.args, "--out="+out)...)
			said, code := interrupt(t, cmd, c.send, c.signals...)
			want := "interrupted"
			if strings.HasSuffix(name, "after figures") {
				want += "; what was measured until then is in " + out + ".partial"
			}
			if said != filepath.Base(os.Args[0])+": error: "+want+"\n" || code != c.code {
				t.Errorf("it ended with %d and said %s; expected %d and %s", code, said, c.code, want)
			}
			text, err := os.ReadFile(out + ".partial")
			if hasFigures := strings.Contains(string(text), `"rate"`); hasFigures != strings.Contains(want, out) || err == nil && !hasFigures {
				t.Errorf("the file has %s: %v", text, err)
			}
		})
	}
}

func TestAHangUpThatIsIgnoredStaysSo(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" run --works=echo-100B --callers=1 --contenders=grpc`, os.Args[0])
	if said, code := interrupt(t, cmd, syscall.Kill, syscall.SIGHUP, syscall.SIGTERM); code != 143 {
		t.Errorf("it ended with %d and said %s; expected it to end by SIGTERM", code, said)
	}
}

// fromTerminal has all of a group get the signal.
func fromTerminal(pid int, s syscall.Signal) error { return syscall.Kill(-pid, s) }

// interrupt runs the command with a Node that never does anything, and sends it signals when it has started that. It returns what is
// said from then on, and the command's exit code.
func interrupt(t *testing.T, cmd *exec.Cmd, send func(pid int, s syscall.Signal) error, signals ...syscall.Signal) (said string, code int) {
	t.Helper()
	folder, release := idleNode(t)
	output, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	defer release()
	temporary := t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "TMPDIR="+temporary)
	cmd.Stderr = theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGHUP) // what is ignored here would be there
	err = cmd.Start()
	signal.Stop(asked)
	if err := errors.Join(err, theirs.Close()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	awaitNode(t, lines, cmd.Process.Pid)
	for _, s := range signals {
		if err := send(cmd.Process.Pid, s); err != nil {
			t.Error(err)
		}
	}
	_ = cmd.Wait() // its code tells
	release()
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v: %v", left, err)
	}
	return withoutNodes(lines), cmd.ProcessState.ExitCode()
}

// awaitNode reads until Node says that it is there. A Ctrl-C shall not reach it.
func awaitNode(t *testing.T, lines *bufio.Reader, group int) {
	t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("expected it to start Node: %v", err)
		}
		if its, isNode := strings.CutPrefix(line, idles); isNode {
			if strings.TrimSpace(its) == strconv.Itoa(group) {
				t.Error("Node is of the command's own process group")
			}
			return
		}
	}
}

// withoutNodes is what else is said.
func withoutNodes(lines *bufio.Reader) string {
	var said strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if !strings.HasPrefix(line, idles) {
			said.WriteString(line)
		}
		if err != nil {
			return said.String()
		}
	}
}

const idles = "Node idles in process group "

// idleNode makes a folder with a Node that does not get ready, and says so. release ends all of them.
func idleNode(t *testing.T) (folder string, release func()) {
	t.Helper()
	folder = t.TempDir()
	never := filepath.Join(folder, "never")
	script := `#!/bin/sh
case $1 in
--version | -e) exit ;;
esac
read pid name state parent group others </proc/$$/stat
echo ` + idles + `$group >&2
read line <` + never + "\n"
	syscall.ForkLock.RLock() // a process that is started just now would have it open, and none could run it
	err := os.WriteFile(filepath.Join(folder, "node"), []byte(script), 0o755)
	syscall.ForkLock.RUnlock()
	if err := errors.Join(err, syscall.Mkfifo(never, 0o600)); err != nil {
		t.Fatal(err)
	}
	return folder, sync.OnceFunc(func() {
		lines, err := os.OpenFile(never, os.O_RDWR, 0) // to be read also by those that have not opened it yet
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = lines.Close() })
		if _, err := lines.WriteString(strings.Repeat("\n", 100)); err != nil {
			t.Error(err)
		}
	})
}
