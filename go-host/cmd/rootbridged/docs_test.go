//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const page = "../../../docs/sidecar.md"

var (
	fence    = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")
	namedOne = regexp.MustCompile("(?s)`([\\w./]+)`[:.]\n\n```\\w+\n(.*?)```")
)

func TestThePageShowsWhatItsExamplesReallyPrint(t *testing.T) {
	page, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(page), frontAddress, freePort(t))
	s := prepare(t, "")
	s.listen = "unix:" + s.path("app.sock")
	_ = os.MkdirAll(s.path("legacy/orders"), 0o700)
	for _, file := range namedOne.FindAllStringSubmatch(text, -1) {
		s.write(file[1], file[2])
	}
	s.write("legacy/index.js", blocks(text, "js")[0])
	s.write("rootbridged", fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asCommand, absolute(t, os.Args[0])))
	_ = os.Chmod(s.path("rootbridged"), 0o700)
	env := append(os.Environ(), "PATH="+s.dir+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+s.dir, "ROOTBRIDGED_DRAIN_TIMEOUT=100ms", "GORACE=atexit_sleep_ms=0") // one call never ends
	shell := func(line string) *exec.Cmd {
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Env = s.dir, env
		return c
	}
	for _, line := range blocks(text, "sh") {
		server := s.at("")
		server.mark, server.log = rand.Text(), new(records)
		server.startCommand(shell("exec " + line))
		server.await("msg=listening")
	}
	examples := 0
	for _, block := range blocks(text, "console") {
		for _, example := range strings.Split("\n"+block, "\n$ ")[1:] {
			line, want, _ := strings.Cut(example, "\n")
			if variable, ok := strings.CutPrefix(line, "export "); ok {
				env = append(env, variable)
				continue
			}
			examples++
			t.Run(line, func(t *testing.T) {
				if program, _, _ := strings.Cut(line, " "); !isInstalled(program) && program != "rootbridged" {
					t.Skip(program + " is not installed")
				}
				output, _ := shell("{ " + line + "\n} 2>&1").CombinedOutput()
				got := strings.TrimSuffix(strings.ReplaceAll(string(output), s.dir, "…"), "\n")
				if got != strings.TrimSuffix(want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
	if examples < 12 {
		t.Errorf("only %d examples were found", examples)
	}
}

// idleScripts call twice with a pause between, which lasts until the server has closed what was idle.
var idleScripts = map[string]string{
	"python3": "\nopen('paused', 'w').close()\nwhile not __import__('os').path.exists('go'): pass\nprint(call('validate', {}))\n",
	"node":    "\nimport fs from 'node:fs';\nfs.writeFileSync('paused', '');\nwhile (!fs.existsSync('go'));\nconsole.log(await call('validate', {}));\n",
}

func TestThePagesClientsWorkAfterAPauseLongerThanTheIdleTimeout(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, blocks(string(page), "js")[0])
	s.start("--idle-timeout", "1ms")
	s.await("msg=listening")
	_ = os.Symlink("s.sock", s.path("app.sock"))
	for _, file := range namedOne.FindAllStringSubmatch(string(page), -1) {
		program := map[string]string{".py": "python3", ".mjs": "node"}[filepath.Ext(file[1])]
		if program == "" || !isInstalled(program) {
			continue
		}
		_, _ = os.Remove(s.path("paused")), os.Remove(s.path("go"))
		client := exec.Command(program, s.write(file[1], file[2]+idleScripts[program]))
		client.Dir = s.dir
		var output records
		client.Stdout, client.Stderr = &output, &output
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it pauses, and has no connection", func() bool { return exists(s.path("paused")) && openSockets(s.path("s.sock")) <= 1 })
		s.write("go", "")
		if err := client.Wait(); err != nil {
			t.Errorf("%s: %v %s", file[1], err, &output)
		}
	}
}

// freePort is one that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	syscall.ForkLock.RLock() // a program that another test is about to start would go on listening for a moment
	defer syscall.ForkLock.RUnlock()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func isInstalled(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func blocks(text, language string) (found []string) {
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		if block[1] == language {
			found = append(found, block[2])
		}
	}
	return found
}

func TestThePageNamesEveryFlagCodeAndKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "call", "check"} {
		for flag := range flagsOf(t, command) {
			isClients := map[string]bool{"--timeout": true, "--trace-id": true, "--help": true}
			if !strings.Contains(string(text), "`"+flag) && !strings.Contains(string(text), " "+flag) && !isClients[flag] {
				t.Errorf("%s has no %s", page, flag)
			}
		}
	}
	for code, status := range statuses {
		if row := regexp.MustCompile("(?m)^\\|.*`" + string(code) + "`.*\\| " + strconv.Itoa(status)); !row.Match(text) {
			t.Errorf("%s has no row with %s and %d", page, string(code), status)
		}
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	_ = os.WriteFile(file, []byte(blocks(string(text), "yaml")[0]), 0o600)
	if code, _, stderr := execute(t, command("check", "--config", file, "--listen", "unix:/nowhere/x")); code != exitFailed {
		t.Errorf("the file on the page: %d %s", code, stderr)
	}
}

var flagInHelp = regexp.MustCompile(`--[a-z][a-z-]+`)

// flagsOf returns those of a command's help.
func flagsOf(t *testing.T, name string) map[string]bool {
	t.Helper()
	_, help, _ := execute(t, command(name, "--help"))
	flags := make(map[string]bool)
	for _, flag := range flagInHelp.FindAllString(help, -1) {
		flags[flag] = true
	}
	return flags
}
