package process_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// role names what this test's binary plays, in a process of its own.
const role = "PROCESS_TEST_ROLE"

const (
	pid1        = "PID 1"
	blindPID1   = "PID 1 without its /proc"
	subreaper   = "a subreaper"
	fewFiles    = "a program of few descriptors"
	anotherUser = "another user"
)

// runsAs is true in a process of the kind, and otherwise runs the test, or subtest, in one.
func runsAs(t *testing.T, kind string) bool {
	t.Helper()
	if os.Getenv(role) == kind {
		return true
	}
	name := regexp.MustCompile(`[^/]+`).ReplaceAllString(t.Name(), "^$0$$")
	self := exec.Command("/proc/self/exe", "-test.run="+name, "-test.v", "-test.timeout=60s") // whose folder others may not enter
	switch kind {
	case pid1:
		inNamespace(t, self, "--mount-proc")
	case blindPID1:
		inNamespace(t, self)
	case anotherUser:
		if os.Getuid() == 0 {
			self.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54_321, Gid: 54_321}}
		}
	}
	self.Env = append(os.Environ(), role+"="+kind)
	output, err := self.CombinedOutput()
	if strings.Contains(string(output), "--- SKIP: "+t.Name()) {
		t.Skipf("as %s:\n%s", kind, output)
	}
	if err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
		t.Errorf("as %s: %v\n%s", kind, err, output)
	}
	return false
}

// inNamespace has a command run as PID 1 of a PID namespace, or skips the test.
func inNamespace(t *testing.T, cmd *exec.Cmd, options ...string) {
	t.Helper()
	unshare := append([]string{"unshare", "--pid", "--fork", "--kill-child"}, options...)
	if output, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("%s is not permitted here: %v: %s", strings.Join(unshare, " "), err, output)
	}
	cmd.Path = exec.Command(unshare[0]).Path
	cmd.Args = append(append(unshare, os.Args[0]), cmd.Args[1:]...)
}

// becomeSubreaper makes orphans of this process's descendants its children.
func becomeSubreaper(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		t.Fatal(errno)
	}
}
