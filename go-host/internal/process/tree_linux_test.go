package process_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootbridge/internal/process"
)

// soon is shorter than anything that these processes wait for.
const soon = 50 * time.Millisecond

// Each script prints the ids of the processes that must not outlive it, one a line, and an empty line. Where it ends, the
// worker waits for the end of its stdin.
var descendants = map[string]string{
	"a detached child that ignores TERM":               `setsid sh -c 'trap "" TERM; echo $$; echo; while :; do sleep 1; done' &`,
	"a child of the group that ignores TERM":           `sh -c 'trap "" TERM; echo $$; echo; while :; do sleep 1; done' &`,
	"a child of the group that has no mark":            `env -i sh -c 'echo $$; echo; exec sleep 1000' &`,
	"a grandchild, detached twice, without parents":    `setsid sh -c 'setsid sh -c "echo \$\$; echo; exec sleep 1000" &'`,
	"a detached child without its environment":         `setsid env -i sh -c 'echo $$; echo; exec sleep 1000' &`,
	"an orphan without its environment, by its leader": `setsid sh -c 'sh -c "exec env -i sleep 1000 & echo \$!"; echo $$; echo; exec sleep 1000' &`,
	"a child that is stopped":                          `setsid sh -c 'echo $$; echo; kill -STOP $$' &`,
	"a child whose name has blanks and parentheses":    `cp "$(command -v sleep)" "$dir/a) R 1 (b"; setsid "$dir/a) R 1 (b" 1000 & echo $!; echo;`,
	"a child whose environment is large":               `HUGE=$(head -c 100000 /dev/zero | tr '\0' x) setsid sh -c 'sh -c "echo \$\$; echo; exec sleep 1000" &'`,
}

func TestNoDescendantOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	endings := map[string]func(p *process.Process){
		"when it is killed":              (*process.Process).Kill,
		"when it is stopped":             func(p *process.Process) { p.Stop(soon) },
		"when it ends by itself":         func(p *process.Process) { _ = p.Stdin.Close() },
		"when somebody else kills it":    func(p *process.Process) { _ = syscall.Kill(p.PID(), syscall.SIGKILL) },
		"when its whole group is killed": func(p *process.Process) { _ = syscall.Kill(-p.PID(), syscall.SIGKILL) },
	}
	for who, script := range descendants {
		for when, end := range endings {
			if strings.Contains(who, "without its environment") && !strings.Contains(when, "it is killed") && !strings.Contains(when, "stopped") {
				continue // its parents end first: not promised
			}
			t.Run(who+" "+when, func(t *testing.T) {
				t.Parallel()
				wait := "read end"
				if strings.Contains(when, "stopped") {
					wait = "trap '' TERM; sleep 1000"
				}
				p := shell(t, fmt.Sprintf("dir=%s; %s\n%s", t.TempDir(), script, wait))
				pids := readPIDs(t, p)
				end(p)
				<-p.Done()
				for _, pid := range pids {
					expectGone(t, pid)
				}
			})
		}
	}
}

// Each process starts the next, in a session of its own, and ends: whoever looks sees some of them too early or too late.
func TestNothingIsLeftOfWhatAWorkerStartedJustBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			token := uniqueToken(t)
			for range 10 {
				p := shell(t, `setsid sh -c 'setsid sh -c "setsid sh -c \"sleep 1000; : `+token+`\"; :" & : `+token+`' &`)
				<-p.Done()
				p.Discard()
				if left := withArgument(token); len(left) > 0 {
					t.Fatalf("these are left: %v", left)
				}
			}
		})
	}
}

func TestAKillLeavesNothingOfATreeThatForksAllTheTime(t *testing.T) {
	t.Parallel()
	p, token := forkingTree(t)
	p.Kill()
	<-p.Done()
	if left := withArgument(token); len(left) > 0 {
		t.Errorf("%d are left: %v", len(left), left)
	}
}

// Else children without the mark could be born while their parents are killed.
func TestATreeForksNoMoreWhenItIsAboutToBeKilled(t *testing.T) {
	t.Parallel()
	p, token := forkingTree(t)
	p.Freeze()
	before := withArgument(token)
	for _, pid := range before {
		if state := stateOf(pid); state == "R" || state == "S" { // while its child by vfork is stopped, it is D
			t.Errorf("process %d has the state %s", pid, state)
		}
	}
	if after := withArgument(token); !slices.Equal(before, after) {
		t.Errorf("%d became %d", len(before), len(after))
	}
}

// forkingTree has three processes that fork all the time: in the worker's group, detached, and detached without the mark.
// All have the token as an argument.
func forkingTree(t *testing.T) (p *process.Process, token string) {
	t.Helper()
	token = uniqueToken(t)
	forker := func(start string) string {
		return fmt.Sprintf(`%[1]s sh -c 'while :; do for i in 1 2 3 4 5 6 7 8; do
			%[1]s sh -c "sleep 0.02; :" %[2]s & done; echo; sleep 0.01; done' %[2]s &`, start, token)
	}
	p = shell(t, forker("")+forker("setsid")+forker("env -i setsid")+" wait")
	rounds := bufio.NewScanner(p.Stdout)
	for range 50 { // 400 children
		if !rounds.Scan() {
			t.Fatal(rounds.Err())
		}
	}
	return p, token
}

func TestNeitherANeighbourNorTheProgramsOwnChildrenAreTouched(t *testing.T) {
	t.Parallel()
	const script = `setsid sh -c 'echo $$; echo; exec sleep 1000' & read end`
	dying, neighbour := shell(t, script), shell(t, script)
	dyings, neighbours := readPIDs(t, dying), readPIDs(t, neighbour)
	own := []*exec.Cmd{
		exec.Command("sleep", "1000"),
		{Path: "/bin/sh", Args: []string{"sh", "-c", "exec sleep 1000"}, SysProcAttr: &syscall.SysProcAttr{Setsid: true}},
		{Path: "/bin/sh", Args: []string{"sh", "-c", "exec sleep 1000"}, Env: readEnviron(t, dyings[0])}, // as a worker may hand it over
	}
	alive := []int{neighbour.PID(), neighbours[0]}
	for _, cmd := range own {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		alive = append(alive, cmd.Process.Pid)
	}
	dying.Kill()
	<-dying.Done()
	expectGone(t, dyings[0])
	for _, pid := range alive {
		if state := stateOf(pid); state != "S" && state != "R" {
			t.Errorf("process %d of %v has the state %q", pid, alive, state)
		}
	}
}

func TestWhatWasAskedToTerminateGetsItsTimeAfterTheWorkerIsGone(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{"in the group": "sh", "detached": "setsid sh"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := filepath.Join(t.TempDir(), "done")
			p := shell(t, start+` -c 'trap "while kill -0 $0; do :; done; touch $1; exit" TERM; echo $$; echo; while :; do sleep 0.01; done' $$ `+done+` & wait`)
			child := readPIDs(t, p)[0]
			p.Terminate(time.Hour)
			<-p.Done()
			expectGone(t, child)
			if _, err := os.Stat(done); err != nil {
				t.Error("the child was killed before it had cleaned up")
			}
		})
	}
}

func TestWhatWasAskedToTerminateAndDoesNotIsKilledInTheEnd(t *testing.T) {
	t.Parallel()
	const script = `setsid sh -c 'trap "" TERM; echo $$; echo; while :; do sleep 1; done' & wait`
	t.Run("when its time is over", func(t *testing.T) {
		t.Parallel()
		p := shell(t, script)
		child := readPIDs(t, p)[0]
		p.Stop(soon)
		expectGone(t, child)
	})
	t.Run("when it is killed meanwhile", func(t *testing.T) {
		t.Parallel()
		p := shell(t, script)
		child := readPIDs(t, p)[0]
		p.Terminate(time.Hour)
		<-p.Exited()
		if stateOf(child) == "" {
			t.Error("the child did not get its time")
		}
		p.Kill()
		<-p.Done()
		expectGone(t, child)
	})
}

// The worker is this test's binary, which is a host of its own.
func TestTheDescendantsOfAHostWithinAWorkerEndWithTheWorker(t *testing.T) {
	t.Parallel()
	if os.Getenv(role) == "inner" {
		inner := shell(t, `setsid sh -c 'setsid sh -c "echo \$\$; echo; exec sleep 1000" &'; wait; read end`)
		fmt.Printf("%d\n\n", readPIDs(t, inner)[0]) //nolint:forbidigo // the test reads it
		select {}
	}
	spawner := process.NewSpawner()
	defer spawner.Close()
	outer, err := spawner.Start(process.Command{
		Path: os.Args[0], Args: []string{"-test.run=^" + t.Name() + "$"}, Env: append(os.Environ(), role+"=inner"),
	}, discard)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Discard()
	descendant := readPIDs(t, outer)[0]
	outer.Kill()
	<-outer.Done()
	expectGone(t, descendant)
}

func TestAWorkerTellsItsMemoryAndWhetherItIsStopped(t *testing.T) {
	t.Parallel()
	p := shell(t, "echo; read end")
	readPIDs(t, p)
	if rss, ok := p.RSS(); !ok || rss < 64<<10 || rss > 64<<20 {
		t.Errorf("its RSS is %d, %v", rss, ok)
	}
	if p.Stopped() {
		t.Error("it is stopped from the start")
	}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := syscall.Kill(p.PID(), signal); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return p.Stopped() == (signal == syscall.SIGSTOP) })
	}
	p.Kill()
	<-p.Done()
	if rss, ok := p.RSS(); ok || p.Stopped() {
		t.Errorf("after its end its RSS is %d", rss)
	}
}

func BenchmarkLook(b *testing.B) {
	spawner := process.NewSpawner()
	defer spawner.Close()
	p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", "setsid sleep 1000 & wait"}}, discard)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !p.Look() {
			b.Fatal("nothing was found")
		}
	}
	p.Kill()
	<-p.Done()
	p.Discard()
}

// readPIDs reads ids, one a line, up to an empty line.
func readPIDs(t *testing.T, p *process.Process) []int {
	t.Helper()
	var pids []int
	one := make([]byte, 1)
	var line []byte
	for {
		if _, err := p.Stdout.Read(one); err != nil { // byte by byte: others read on
			t.Fatalf("reading ids: %v; stderr: %s", err, p.Stderr)
		}
		if one[0] != '\n' {
			line = append(line, one[0])
			continue
		}
		if len(line) == 0 {
			return pids
		}
		if pid, err := strconv.Atoi(string(line)); err == nil {
			pids = append(pids, pid)
		}
		line = line[:0]
	}
}

// expectGone allows for a zombie that is to be reaped by init.
func expectGone(t *testing.T, pid int) {
	t.Helper()
	if state := stateOf(pid); state != "" && state != "Z" {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Errorf("process %d is left, with the state %s", pid, state)
	}
}

// stateOf is empty when there is no such process.
func stateOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " ")
	return after[:1]
}

func readEnviron(t *testing.T, pid int) []string {
	t.Helper()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(environ), "\x00"), "\x00")
}

// uniqueToken is to be an argument of processes. What is left of them when the test ends is killed.
func uniqueToken(t *testing.T) string {
	t.Helper()
	token := "token-" + rand.Text()
	t.Cleanup(func() {
		for _, pid := range withArgument(token) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return token
}

// withArgument finds the processes that have the argument, or one that contains it.
func withArgument(argument string) []int {
	var found []int
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		if cmdline, err := os.ReadFile(path); err == nil && bytes.Contains(cmdline, []byte(argument)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	return found
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(grace); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come true")
		}
	}
}
