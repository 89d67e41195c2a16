package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"rootbridge/internal/process"
)

// heirs are programs whose children orphans become.
var heirs = []string{pid1, subreaper}

func TestAnHeirReapsTheOrphansOfALivingWorkerAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, heir := range heirs {
		t.Run(heir, func(t *testing.T) {
			t.Parallel()
			if !runsAs(t, heir) {
				return
			}
			if heir == subreaper {
				becomeSubreaper(t)
			}
			dir := t.TempDir()
			orphan, end := filepath.Join(dir, "orphan.sh"), filepath.Join(dir, "end")
			writeFile(t, orphan, `echo $$; while [ ! -e `+end+` ]; do sleep 0.01; done`)
			own := startOwn(t)
			p := shell(t, fmt.Sprintf(`
				(sh -c 'echo $$' &)                   # stays in the group, ends before anybody looks
				(sh %[1]s &)                          # stays in the group
				setsid sh -c '(sh %[1]s &)'           # detached, has the mark
				setsid sh -c '(env -i sh %[1]s &); exec sleep 1000' & # detached, its leader has the mark
				read end`, orphan))
			orphans := readLines(t, p, 4)
			p.ReapOrphans() // sees those that can't be recognized any more when they have ended
			writeFile(t, end, "")
			for _, pid := range orphans {
				eventually(t, func() bool {
					p.ReapOrphans()
					return stateOf(pid) == ""
				})
			}
			p.Kill()
			<-p.Done()
			expectOnlyChild(t, own)
		})
	}
}

func TestAnHeirHasNoZombiesAfterTheEndOfAWorker(t *testing.T) {
	t.Parallel()
	for _, heir := range heirs {
		t.Run(heir, func(t *testing.T) {
			t.Parallel()
			if !runsAs(t, heir) {
				return
			}
			if heir == subreaper {
				becomeSubreaper(t)
			}
			own := startOwn(t)
			for _, end := range []func(p *process.Process){
				(*process.Process).Kill,
				func(p *process.Process) { p.Stop(soon) },
				func(p *process.Process) { _ = p.Stdin.Close() },
			} {
				p := shell(t, `
					(sh -c 'echo $$' &)
					(sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &)
					setsid sh -c '(sh -c "trap \"\" TERM; echo \$\$; while :; do sleep 1; done" &)'
					read end`)
				readLines(t, p, 3)
				end(p)
				<-p.Done()
			}
			expectOnlyChild(t, own)
		})
	}
}

// Here /proc shows other processes under the numbers of these.
func TestWithoutItsOwnProcAProgramKillsTheGroupOnly(t *testing.T) {
	t.Parallel()
	if !runsAs(t, blindPID1) {
		return
	}
	for _, end := range []func(p *process.Process){
		(*process.Process).Kill,
		func(p *process.Process) { p.Stop(soon) },
		func(p *process.Process) { _ = p.Stdin.Close() },
	} {
		p := shellOfNumber(t, `sh -c 'echo $$; exec sleep 1000' & read end`)
		child := readLines(t, p, 1)[0]
		if rss, ok := p.RSS(); ok || p.Stopped() {
			t.Errorf("it tells of another process: its RSS is %d", rss)
		}
		p.ReapOrphans()
		end(p)
		<-p.Done()
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(child, &status, 0, nil); err != nil || status.Signal() != syscall.SIGKILL {
			t.Errorf("the child ended with %v, %v", status, err)
		}
	}
}

// shellOfNumber starts a worker whose pid has, outside of this namespace, another process, with memory.
func shellOfNumber(t *testing.T, script string) *process.Process {
	t.Helper()
	spawner := process.NewSpawner()
	t.Cleanup(spawner.Close)
	for _, pid := range slices.Backward(withArgument("")) { // a thread of this process may take one, and keep it
		statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil || bytes.HasPrefix(statm, []byte("0")) {
			continue
		}
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Skip("the next pid can't be chosen here: ", err)
		}
		p, err := spawner.Start(process.Command{Path: "/bin/sh", Args: []string{"-c", script}}, discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Discard)
		if p.PID() == pid {
			return p
		}
		p.Kill()
		<-p.Done()
	}
	t.Fatal("no worker got another's pid")
	return nil
}

// startOwn starts a child of the program's own, which ends.
func startOwn(t *testing.T) *exec.Cmd {
	t.Helper()
	own := exec.Command("sh", "-c", "exit 7")
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return stateOf(own.Process.Pid) == "Z" })
	return own
}

// expectOnlyChild checks that a child that has ended can still be waited for, and that there is no other.
func expectOnlyChild(t *testing.T, own *exec.Cmd) {
	t.Helper()
	if _ = own.Wait(); own.ProcessState.ExitCode() != 7 {
		t.Errorf("the program's own child: %v", own.ProcessState)
	}
	expectNoChild(t)
}

func expectNoChild(t *testing.T) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func readLines(t *testing.T, p *process.Process, n int) []int {
	t.Helper()
	var pids []int
	for range n {
		pid, err := strconv.Atoi(readLine(t, p))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
