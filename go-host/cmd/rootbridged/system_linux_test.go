package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// In a container it is process 1, may write nowhere but to the socket's folder, and has no rights.
func TestItRunsAsProcess1WithNothingElseToWriteTo(t *testing.T) {
	t.Parallel()
	if output, err := exec.Command("unshare", "--user", "--map-root-user", "--pid", "--mount", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput(); err != nil {
		t.Skipf("namespaces can't be made here: %v %s", err, output)
	}
	s := prepare(t, legacy+`
		const orphans = ['sleep 0.05 &', 'setsid sleep 0.05 &', 'timeout 5 sleep 0.05 &', 'env -i setsid sh -c "sleep 0.05 &"'];
		exports.orphan = (i) => { require('child_process').spawnSync('sh', ['-c', orphans[i % orphans.length]], { stdio: 'ignore' }); };
		exports.writable = (path) => { try { fs.writeFileSync(path, ''); return true; } catch (e) { return e.code; } };`)
	_ = os.Mkdir(s.path("run"), 0o700)
	s.listen = "unix:" + s.path("run/s.sock")
	c := command("serve", "--entry", s.entry, "--listen", s.listen, "--workers", "1", "--shutdown-delay", "1ms")
	// Everything below / is mounted once more, read-only; the socket's folder is not.
	script := fmt.Sprintf(`mount --rbind / /mnt && mount -o remount,bind,ro /mnt && mount --bind %[1]s /mnt%[1]s && mount -t proc proc /mnt/proc && exec chroot /mnt "$0" "$@"`, s.path("run"))
	all := exec.Command("unshare", append([]string{"--user", "--map-root-user", "--pid", "--mount", "--fork", "--kill-child", "sh", "-c", script}, c.Args...)...)
	all.Env = c.Env
	s.startCommand(all)
	s.await("msg=listening")
	s.call("echo", "1", "1")
	if got := s.ask("POST /call/variable", `"HOME"`, asJSON); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.ask("POST /call/writable", quoted(s.path("x")), asJSON); got.body != `"EROFS"` {
		t.Errorf("the root is not read-only: %s", got.body)
	}
	for i := range 12 {
		s.ask("POST /call/orphan", strconv.Itoa(i), asJSON)
	}
	first := s.child(t)
	eventually(t, "nothing is left but what serves", func() bool { return children(first) == 1 })
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", first)); err != nil || !strings.Contains(string(status), "\t1\n") {
		t.Errorf("it is not process 1: %v %s", err, status)
	}
	if err := syscall.Kill(first, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if code := s.awaitEnd(); code != 0 || exists(s.path("run/s.sock")) {
		t.Errorf("exit code %d", code)
	}
}

// children counts the processes whose parent has an id, also those that have ended and that it has not waited for.
func children(parent int) int {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	isOne, count := regexp.MustCompile(fmt.Sprintf(`\) \S %d `, parent)), 0
	for _, file := range all {
		if stat, err := os.ReadFile(file); err == nil && isOne.Match(stat) {
			count++
		}
	}
	return count
}

// child is the only child of what was started.
func (s *sidecar) child(t *testing.T) (pid int) {
	t.Helper()
	parent := s.command.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if _, scanErr := fmt.Sscan(string(text), &pid); err != nil || scanErr != nil {
		t.Fatal(err, scanErr)
	}
	return pid
}
