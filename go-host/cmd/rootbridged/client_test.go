//go:build unix

package main

import (
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestCallPrintsAResultAndTellsAnErrorByItsExitCode(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	for _, test := range []struct {
		args           []string
		stdin          string
		code           int
		stdout, stderr string
	}{
		{[]string{"echo", `{"a":[1]}`}, "", 0, "{\n  \"a\": [\n    1\n  ]\n}\n", ""},
		{[]string{"echo", `{"a":[1]}`, "--compact"}, "", 0, "{\"a\":[1]}\n", ""},
		{[]string{"echo", "-"}, "\"piped\"\n", 0, "\"piped\"\n", ""},
		{[]string{"kind"}, "", 0, "\"undefined\"\n", ""},
		{[]string{"kind", "null"}, "", 0, "\"null\"\n", ""},
		{[]string{"nothing"}, "", 0, "", ""},
		{[]string{"bytes", "3"}, "", 0, "\a\a\a", ""},
		{[]string{"add", "[20, 22]", "--convention", "args"}, "", 0, "42\n", ""},
		{[]string{"refund", `{"id":7}`}, "", 1, "", "error: exception: TypeError: order 7 is not paid\n  [cause] Error: no payment\n"},
		{[]string{"a/../b"}, "", 1, "", "error: invalid_argument: expected a path such as /call/METHOD, without empty or dot segments\n"},
		{[]string{"nope"}, "", 1, "", "error: method_not_found: no export \"nope\""},
		{[]string{"hold", quoted(s.path("never")), "--timeout", "30ms"}, "", 1, "", "error: deadline_exceeded: no result within 30ms"},
		{[]string{"echo", "-"}, "{'a'}", 2, "", "error: expected the argument to be JSON, got something else"},
		{[]string{"kind", "-"}, "\n", 2, "", "error: expected the argument to be JSON, got nothing"},
		{[]string{"kind", ""}, "", 2, "", "error: expected the argument to be JSON, got nothing"},
		{[]string{"echo", "--compact", "--", "-5"}, "", 0, "-5\n", ""},
	} {
		c := command(append([]string{"call", "--listen", s.listen}, test.args...)...)
		c.Stdin = strings.NewReader(test.stdin)
		code, stdout, stderr := execute(t, c)
		if code != test.code || stdout != test.stdout || !strings.HasPrefix(stderr, test.stderr) || test.stderr == "" && stderr != "" {
			t.Errorf("%v: got %d %q %q", test.args, code, stdout, stderr)
		}
	}
}

func TestBytesGoToWhateverIsNoTerminal(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c := command("call", "bytes", "3", "--listen", s.listen)
	c.Stdout = null
	if err := c.Run(); err != nil {
		t.Error(err)
	}
}

func TestCommandsWithoutOneThatRunsFail(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	for _, args := range [][]string{{"call", "echo"}, {"workers"}, {"reload"}, {"check"}, {"check", "live"}} {
		if code, stdout, stderr := s.run(args...); code != exitFailed || stdout != "" || !strings.Contains(stderr, "no answer from "+s.listen) {
			t.Errorf("%v: got %d %s%s", args, code, stdout, stderr)
		}
	}
}

func TestAnAnswerOfAnotherProgramIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	listener, err := net.Listen("unix", s.path("s.sock"))
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/call/redirect" {
			http.Redirect(w, r, "http://evil.example/", http.StatusTemporaryRedirect)
			return
		}
		http.Error(w, "what?", http.StatusTeapot)
	})}
	go func() { _ = other.Serve(listener) }()
	defer other.Close()
	for _, args := range [][]string{{"call", "redirect"}, {"workers"}, {"reload"}, {"check"}} {
		if code, _, stderr := s.run(args...); code != exitFailed || !strings.Contains(stderr, "expected an answer of rootbridged") {
			t.Errorf("%v: got %d %s", args, code, stderr)
		}
	}
}

func TestWorkersShowsATable(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy)
	s.call("echo", "1", "1")
	code, stdout, stderr := s.run("workers")
	table := regexp.MustCompile(`^PID +STATE +GENERATION +AGE +CALLS +IN FLIGHT +BUSY +MEMORY\n\d+ +ready +1 +\d+s +1 +0 +\d+% +\S+iB\n1 ready, 0 starting, 0 calls waiting, 1 succeeded, 0 failed\n$`)
	if code != 0 || !table.MatchString(stdout) {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := s.run("workers", "--json"); code != 0 || !strings.HasPrefix(stdout, `{"generation":1,`) {
		t.Errorf("got %d %s", code, stdout)
	}
}

func TestReloadExitsWithTheReasonWhenTheNewCodeDoesNotLoad(t *testing.T) {
	t.Parallel()
	s := serve(t, versioned(1))
	s.write("index.js", versioned(2))
	if code, stdout, stderr := s.run("reload"); code != 0 || stdout != "generation 2 serves\n" {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
	s.write("index.js", "exports.version = () => {{ 3;")
	code, stdout, stderr := s.run("reload")
	if code != exitBoot || stdout != "" || !strings.HasPrefix(stderr, "error: boot_failed: SyntaxError: ") || !strings.Contains(stderr, "index.js:1") {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
	s.call("version", "", "2")
}

func TestCommandsSendTheirToken(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	tokens := s.write("tokens", oneToken+"\n"+otherToken)
	s.start("--token-file", tokens)
	s.await("msg=listening")
	for _, args := range [][]string{{"call", "nothing"}, {"workers"}, {"reload"}} {
		if code, _, stderr := s.run(append(args, "--token-file", tokens)...); code != 0 {
			t.Errorf("%v: got %d %s", args, code, stderr)
		}
		if code, _, stderr := s.run(args...); code != exitFailed || !strings.Contains(stderr, "unauthenticated") {
			t.Errorf("%v without a token: got %d %s", args, code, stderr)
		}
	}
	piped := command("call", "nothing", "--listen", s.listen, "--token-file", "/dev/stdin")
	piped.Stdin = strings.NewReader(oneToken)
	if code, _, stderr := execute(t, piped); code != 0 {
		t.Errorf("from a pipe: got %d %s", code, stderr)
	}
}

func TestCheckTellsReadinessAndLifeByItsExitCode(t *testing.T) {
	t.Parallel()
	s := serve(t, legacy, "--shutdown-delay", "1h")
	check := func(what string) int { code, _, _ := s.run("check", what); return code }
	if ready, live := check("ready"), check("live"); ready != 0 || live != 0 {
		t.Errorf("ready %d, live %d", ready, live)
	}
	_ = s.command.Process.Signal(os.Interrupt)
	eventually(t, "it is not ready", func() bool { return check("ready") == exitFailed })
	if live := check("live"); live != 0 {
		t.Errorf("live %d", live)
	}
	s.end()
}
