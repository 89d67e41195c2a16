//go:build unix

package main

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// underShell runs the command after a line of shell, in the same process.
func underShell(line string, c *exec.Cmd) *exec.Cmd {
	shell := exec.Command("sh", append([]string{"-c", line + `; exec "$0" "$@"`}, c.Args...)...)
	shell.Env = c.Env
	return shell
}

func TestASocketHasExactlyTheModeAskedForWhateverTheUmask(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		umask string
		flags []string
		want  fs.FileMode
	}{
		{"000", nil, 0o600},
		{"777", nil, 0o600},
		{"077", []string{"--socket-mode", "0660"}, 0o660},
	} {
		s := prepare(t, legacy)
		s.startCommand(underShell("umask "+test.umask, command(append([]string{"serve", "--entry", s.entry, "--listen", s.listen, "--workers", "1"}, test.flags...)...)))
		s.await("msg=listening")
		info, err := os.Lstat(s.path("s.sock"))
		if err != nil || info.Mode() != test.want|fs.ModeSocket {
			t.Errorf("umask %s: got %v, %v, want %v", test.umask, info.Mode(), err, test.want)
		}
		s.call("echo", "1", "1")
	}
}

func TestTheSocketIsGoneWhenItHasEnded(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	if code := s.end(); code != 0 || exists(s.path("s.sock")) {
		t.Errorf("exit code %d, socket there: %v", code, exists(s.path("s.sock")))
	}
}

func TestASocketOfOneThatWasKilledIsTakenOver(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	_ = s.command.Process.Kill()
	s.awaitEnd()
	if !exists(s.path("s.sock")) {
		t.Fatal("no socket was left, which is what this test needs")
	}
	s.log = new(records)
	s.start()
	s.await("msg=listening")
	s.call("echo", "1", "1")
}

func TestASocketThatIsInUseAndAFileThatIsNoneAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	code, _, stderr := s.run("serve", "--entry", s.entry)
	if code != exitFailed || !strings.Contains(stderr, "another program listens") {
		t.Errorf("got %d %s", code, stderr)
	}
	s.call("echo", "1", "1")
	file := s.write("file", "precious")
	code, _, stderr = execute(t, command("serve", "--entry", s.entry, "--listen", "unix:"+file))
	if text, err := os.ReadFile(file); code != exitFailed || string(text) != "precious" || err != nil || !strings.Contains(stderr, "left alone") {
		t.Errorf("got %d %s; the file has %q, %v", code, stderr, text, err)
	}
}

func TestOfManyThatStartAtAnOldSocketOneServes(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	for range 3 {
		s.abandonSocket()
		var all []*sidecar
		for range 4 {
			each := prepare(t, legacy)
			each.listen = s.listen
			each.start()
			all = append(all, each)
		}
		var serving *sidecar
		for _, each := range all {
			each.awaitStart()
			if !strings.Contains(each.log.String(), "msg=listening") {
				continue
			}
			if serving != nil {
				t.Error("two serve")
			}
			serving = each
		}
		if serving == nil {
			t.Fatal("none serves")
		}
		serving.call("echo", "1", "1")
		if code := serving.end(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// Two that start at a time could each find an old socket, and the later remove the earlier one's new one.
func TestOneThatStartsWaitsForAnotherThatMakesItsSocket(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	s.abandonSocket()
	unlock, err := tryLock(s.path("s.sock.lock"))
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	s.await("waiting for another program")
	if err := os.Remove(s.path("s.sock")); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", s.path("s.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	unlock()
	if code := s.awaitEnd(); code != exitFailed || !strings.Contains(s.log.String(), "another program listens") {
		t.Errorf("exit code %d", code)
	}
	if exists(s.path("s.sock.lock")) {
		t.Error("the lock's file is left")
	}
}

func TestWhoMayOnlyReadTheSocketsFolderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	folder, err := os.Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.await("msg=listening")
}

func TestASignalToEndWhileItWaitsForALockIsNoFailure(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	unlock, err := tryLock(s.path("s.sock.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	s.start()
	s.await("waiting for another program")
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTheSocketOfAnotherThatTookItsPlaceStays(t *testing.T) {
	t.Parallel()
	s, other := serve(t, legacy), prepare(t, legacy)
	if err := os.Remove(s.path("s.sock")); err != nil {
		t.Fatal(err)
	}
	other.listen = s.listen
	other.start()
	other.await("msg=listening")
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	other.call("echo", "1", "1")
	if code := other.end(); code != 0 || exists(s.path("s.sock")) {
		t.Errorf("exit code %d", code)
	}
}

// abandonSocket leaves a socket that nobody listens at.
func (s *sidecar) abandonSocket() {
	s.t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path("s.sock"), Net: "unix"})
	if err != nil {
		s.t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	_ = listener.Close()
}

// awaitStart waits until it serves or has ended.
func (s *sidecar) awaitStart() {
	s.t.Helper()
	eventually(s.t, "it serves or ends", func() bool {
		select {
		case <-s.ended:
			return true
		default:
			return strings.Contains(s.log.String(), "msg=listening")
		}
	})
}

func TestSystemdMakesTheSocketAndKeepsIt(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path("s.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	socket.SetUnlinkOnClose(false)
	file, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path("notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer news.Close()
	_ = news.SetDeadline(time.Now().Add(long))

	early := make(chan answerOf, 1) // systemd listens before the service is there
	go func() {
		got, err := s.tryAsk(t.Context(), "POST /call/echo", strings.NewReader("1"), asJSON)
		if err != nil {
			t.Error(err)
		}
		early <- got
	}()
	c := command("serve", "--entry", s.entry, "--listen", "systemd", "--workers", "1")
	c.Env = append(c.Env, "LISTEN_FDS=1", "NOTIFY_SOCKET="+s.path("notify"))
	shell := underShell("export LISTEN_PID=$$", c)
	shell.ExtraFiles = []*os.File{file}
	s.startCommand(shell)
	_ = file.Close()
	if got := <-early; got.body != "1" {
		t.Errorf("the call that came early got %d %s", got.status, got.body)
	}
	if got := message(t, news); got != "READY=1" {
		t.Errorf("systemd is told %q", got)
	}
	if got := s.ask("POST /call/variable", `"LISTEN_FDS"`, asJSON); got.body != "null" {
		t.Errorf("the code sees LISTEN_FDS=%s", got.body)
	}
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := message(t, news); got != "STOPPING=1" {
		t.Errorf("systemd is told %q", got)
	}
	if !exists(s.path("s.sock")) {
		t.Error("systemd's socket is gone")
	}
	_ = socket.Close()
}

func message(t *testing.T, from *net.UnixConn) string {
	t.Helper()
	text := make([]byte, 100)
	n, err := from.Read(text)
	if err != nil {
		t.Error(err)
	}
	return string(text[:n])
}

func TestWithoutASocketFromSystemdItSaysSo(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	code, _, stderr := execute(t, command("serve", "--entry", s.entry, "--listen", "systemd"))
	if code != exitUsage || !strings.Contains(stderr, "LISTEN_FDS") {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestAPortOfTheNetworkFromSystemdNeedsATokenToo(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	socket, err := net.ListenTCP("tcp", &net.TCPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := command("serve", "--entry", s.entry, "--listen", "systemd")
	c.Env = append(c.Env, "LISTEN_FDS=1")
	shell := underShell("export LISTEN_PID=$$", c)
	shell.ExtraFiles = []*os.File{file}
	if code, _, stderr := execute(t, shell); code != exitUsage || !strings.Contains(stderr, "--token-file") {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestAPortThatIsTakenFails(t *testing.T) {
	t.Parallel()
	s := serveTCP(t, "127.0.0.1:0")
	code, _, stderr := s.run("serve", "--entry", s.entry)
	if code != exitFailed || !strings.Contains(stderr, syscall.EADDRINUSE.Error()) {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestItsDefaultIsASocketOfTheUsersOwnElseAPortOfThisMachine(t *testing.T) {
	for dir, want := range map[string]string{"/run/user/7": "unix:/run/user/7/rootbridged.sock", "": "127.0.0.1:7480", "/" + strings.Repeat("x", 100): "127.0.0.1:7480"} {
		t.Setenv("XDG_RUNTIME_DIR", dir)
		if got := defaultAddress(); got != want {
			t.Errorf("%q: got %s", dir, got)
		}
	}
	for i, name := range []string{"10.0.0.1", "::", "0.0.0.0"} {
		if isLocal(&net.TCPAddr{IP: net.ParseIP(name)}) {
			t.Error(strconv.Itoa(i), name)
		}
	}
}
