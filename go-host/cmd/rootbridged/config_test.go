//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rootbridge"
)

func TestWrongUsageSaysWhatIsWrongAndExitsWith2(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	files := 0
	file := func(text string) string { files++; return s.write(fmt.Sprintf("%d.yaml", files), text) }
	for _, test := range []struct {
		args  []string
		words string
	}{
		{[]string{}, "expected one of"},
		{[]string{"sevre"}, "sevre"},
		{[]string{"serve"}, "--entry"},
		{[]string{"serve", "--wokers", "2"}, "--wokers"},
		{[]string{"serve", "--workers", "two"}, "--workers"},
		{[]string{"serve", "--workers", "0"}, "--workers"},
		{[]string{"serve", "--workers", "2000"}, "--workers between 0 and 1024, got 2000"},
		{[]string{"serve", "--min-workers", "3"}, "--min-workers to be at most --workers (2), got 3"},
		{[]string{"serve", "--min-workers", "-1"}, "--min-workers"},
		{[]string{"serve", "--call-timeout", "5"}, "missing unit"},
		{[]string{"serve", "--call-timeout", "-1s"}, "--call-timeout"},
		{[]string{"serve", "--max-timeout", "1s"}, "--max-timeout to be at least --call-timeout (30s), got 1s"},
		{[]string{"serve", "--shutdown-delay", "-1s"}, "--shutdown-delay"},
		{[]string{"serve", "--idle-timeout", "0s"}, "--idle-timeout"},
		{[]string{"serve", "--max-payload", "12 apples"}, "--max-payload"},
		{[]string{"serve", "--max-payload", "100B"}, "--max-payload between 1024 and 1073741824, got 100"},
		{[]string{"serve", "--max-rss", "-1KiB"}, "--max-rss"},
		{[]string{"serve", "--codec", "xml"}, "--codec"},
		{[]string{"serve", "--convention", "odd"}, "--convention"},
		{[]string{"serve", "--env", "=secret"}, "--env[0] to be KEY=value"},
		{[]string{"serve", "--entry", s.path("none.js")}, "--entry"},
		{[]string{"serve", "--listen", "unix:"}, "unix:PATH"},
		{[]string{"serve", "--listen", "unix:@app"}, "abstract"},
		{[]string{"serve", "--listen", "unix:/" + strings.Repeat("x", 104)}, "less than 104 bytes"},
		{[]string{"serve", "--listen", "8080"}, "HOST:PORT"},
		{[]string{"serve", "--listen", "127.0.0.1:99999"}, `port between 0 and 65535, got "99999"`},
		{[]string{"serve", "--dir", s.path("none")}, "--dir to be a folder"},
		{[]string{"serve", "--dir", s.entry}, "--dir to be a folder"},
		{[]string{"serve", "--max-header", "1B"}, "--max-header to be at least 8KiB, got 1B"},
		{[]string{"serve", "--socket-mode", "0666"}, "--socket-mode"},
		{[]string{"serve", "--socket-mode", "0060"}, "--socket-mode"},
		{[]string{"serve", "--tls-cert", "a"}, "both --tls-cert and --tls-key"},
		{[]string{"serve", "--tls-client-ca", "a"}, "both --tls-cert and --tls-key"},
		{[]string{"serve", "--tls-cert", s.path("a"), "--tls-key", s.path("b")}, "no such file"},
		{[]string{"serve", "--config", s.path("none.yaml")}, "no such file"},
		{[]string{"serve", "--config", file("workers: 1\nwokers: 2\n")}, `:2: unknown key "wokers"`},
		{[]string{"serve", "--config", file("workers: 1\nworkers: 2\n#")}, "already defined"},
		{[]string{"serve", "--config", file("call-timeout: soon")}, "--call-timeout"},
		{[]string{"serve", "--config", file("workers: {a: 1}")}, "workers: expected a value or a list"},
		{[]string{"serve", "--config", file("node-arg: [[1]]")}, "node-arg: expected a list of texts"},
		{[]string{"serve", "--config", file("- a")}, "expected a YAML map"},
		{[]string{"serve", "--config", file("config: other")}, `unknown key "config"`},
		{[]string{"serve", "--config", file("timeout: 1s")}, `unknown key "timeout"`},
		{[]string{"check", "--config", file("compact: true")}, `unknown key "compact"`},
		{[]string{"serve", "--config", file("workers: 1\n---\ntoken-file: x")}, "one YAML document"},
		{[]string{"serve", "--config", file("token-file:")}, "token-file: expected a value, got none"},
		{[]string{"serve", "--config", file("token-file: ''")}, "expected a file, got nothing"},
		{[]string{"serve", "--tls-client-ca", ""}, "--tls-client-ca: expected a file, got nothing"},
		{[]string{"serve", "--http", "handler", "--convention", "value"}, "--convention lambda or none, got value"},
		{[]string{"serve", "--http", "handler", "--max-timeout", "1m"}, "--max-timeout is for calls"},
		{[]string{"serve", "--http", "handler", "--http-format", "sqs"}, "--http-format"},
		{[]string{"serve", "--http", "handler", "--http-route", "GET orders"}, "--http-route to be a pattern"},
		{[]string{"serve", "--http", "handler", "--http-header-name", "X-GitHub-Event"}, "is for --http-format apigateway-v1"},
		{[]string{"serve", "--http", "handler", "--http-format", "apigateway-v1", "--http-header-name", "X Y"}, "--http-header-name to be the name of a header"},
		{[]string{"serve", "--http-header-name", "X-A"}, "--http-header-name is for --http METHOD"},
		{[]string{"serve", "--http", "handler", "--http-route", "/a/{x}", "--http-route", "/a/{y}"}, "--http-route to be a pattern"},
		{[]string{"serve", "--http", "handler", "--http-stage-variable", "=secret"}, "--http-stage-variable to be KEY=VALUE"},
		{[]string{"serve", "--http", "handler", "--http-public", "--tls-client-ca", "a"}, "leave one of them out"},
		{[]string{"serve", "--http-public"}, "--http-public is for --http METHOD"},
		{[]string{"serve", "--http-stage", "prod"}, "--http-stage is for --http METHOD"},
		{[]string{"serve", "--http", "handler", "--listen", "unix:/x/a", "--admin-listen", "unix:/x/a"}, "two addresses"},
		{[]string{"serve", "--admin-listen", "systemd"}, "--admin-listen: expected unix:PATH or HOST:PORT"},
		{[]string{"call"}, "<method>"},
		{[]string{"call", "echo", "{'a': 1}"}, "JSON"},
		{[]string{"call", "echo", "--listen", "systemd"}, "unix:PATH"},
		{[]string{"call", "echo", "--token-file", s.path("none")}, "--token-file"},
		{[]string{"check", "lively"}, "lively"},
	} {
		t.Run(strings.Join(test.args, " ")[:min(60, len(strings.Join(test.args, " ")))], func(t *testing.T) {
			t.Parallel()
			args := test.args
			if len(args) > 1 && args[0] == "serve" && args[1] != "--entry" {
				args = append([]string{"serve", "--entry", s.entry}, args[1:]...)
			}
			c := command(args...)
			c.Env = append(c.Env, "ROOTBRIDGED_LISTEN=unix:"+s.path(rand.Text())) // some listen before they find out, all at a time
			code, stdout, stderr := execute(t, c)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, test.words) || !strings.Contains(stderr, "--help") || strings.Contains(stderr, "secret") {
				t.Errorf("got %d %s%s, want %s", code, stdout, stderr, test.words)
			}
		})
	}
}

func TestAnEmptyVariableDoesNotTurnOffTheFilesTokens(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	c := command("serve", "--entry", s.entry, "--listen", s.listen, "--config", s.write("c.yaml", "token-file: "+s.write("tokens", oneToken)))
	c.Env = append(c.Env, "ROOTBRIDGED_TOKEN_FILE=")
	if code, _, stderr := execute(t, c); code != exitUsage || !strings.Contains(stderr, "expected a file, got nothing") {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestCodeThatDoesNotLoadExitsWith3AndSaysWhy(t *testing.T) {
	t.Parallel()
	s := prepare(t, "exports.a = {{")
	code, _, stderr := execute(t, command("serve", "--entry", s.entry, "--listen", s.listen))
	if code != exitBoot || !strings.Contains(stderr, "error: rootbridge: boot_failed: SyntaxError") || exists(s.path("s.sock")) {
		t.Errorf("got %d %s", code, stderr)
	}
	code, _, stderr = execute(t, command("serve", "--entry", s.entry, "--listen", s.listen, "--node", s.path("no-node")))
	if code != exitBoot || !strings.Contains(stderr, "no-node") {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestAFlagBeatsTheEnvironmentWhichBeatsTheFile(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	file := s.write("c.yaml", "entry: "+s.entry+"\nlisten: "+s.listen+"\nworkers: 1\nenv: [FROM=file, \"COMMA=a,b\"]\ncall-timeout: 10ms\nmax-timeout: 20ms\nkill-grace: 1s\n")
	c := command("serve", "--call-timeout", "30ms")
	c.Env = append(c.Env, "ROOTBRIDGED_CONFIG="+file, "ROOTBRIDGED_CALL_TIMEOUT=15ms", "ROOTBRIDGED_MAX_TIMEOUT=45ms", "ROOTBRIDGED_WROKERS=2", "ROOTBRIDGED_SERVICE_HOST=10.0.0.1")
	s.startCommand(c)
	s.await("msg=listening")
	for header, words := range map[string]string{"X-None: here": "within 30ms", "Connect-Timeout-Ms: 1000": "within 45ms"} {
		if got := s.ask("POST /call/hold", quoted(s.path("never")), asJSON, header); !strings.Contains(got.body, words) {
			t.Errorf("got %s, want %s", got.body, words)
		}
	}
	for name, want := range map[string]string{"FROM": `"file"`, "COMMA": `"a,b"`} {
		if got := s.ask("POST /call/variable", quoted(name), asJSON, "Connect-Timeout-Ms: 45"); got.body != want && got.status != 504 {
			t.Errorf("%s is %s", name, got.body)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "ROOTBRIDGED_WROKERS") || strings.Contains(log, "10.0.0.1") {
		t.Errorf("got %s", log)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"serve", "call", "workers", "reload", "check"} {
		code, stdout, stderr := execute(t, command(name, "--help"))
		if code != 0 || stderr != "" || !strings.Contains(stdout, "Example: rootbridged "+name) {
			t.Errorf("%s: %d %s %s", name, code, stdout, stderr)
		}
	}
	if code, stdout, _ := execute(t, command("--help")); code != 0 || !strings.Contains(stdout, "environment variable") {
		t.Errorf("got %d %s", code, stdout)
	}
}

func TestEveryOptionOfTheHostThatMakesSenseIsAFlag(t *testing.T) {
	t.Parallel()
	flags := flagsOf(t, "serve")
	elsewhere := []string{"Source", "Command", "Logger", "ReloadOnSignal", "Lambda", "JSON"} // signals are always on
	for _, field := range reflect.VisibleFields(reflect.TypeFor[rootbridge.Options]()) {
		flag := "--" + strings.TrimSuffix(flagName(field.Name), "s")
		if field.IsExported() && !flags[flag] && !flags[flag+"s"] && !slices.Contains(elsewhere, field.Name) {
			t.Errorf("Options.%s is no flag", field.Name)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[rootbridge.LambdaOptions]()) {
		if !flags["--lambda-"+flagName(field.Name)] {
			t.Errorf("LambdaOptions.%s is no flag", field.Name)
		}
	}
}

func TestEveryFlagReachesItsOption(t *testing.T) {
	t.Parallel()
	var all commands
	if _, err := parse([]string{
		"serve", "--entry=1", "--dir=2", "--node=3", "--node-arg=4,4", "--env=A=5,5", "--replace-env", "--convention=args", "--codec=json",
		"--idempotent=6", "--workers=7", "--min-workers=0", "--max-draining=8", "--concurrency=9", "--boot-timeout=10s", "--queue-limit=0",
		"--queue-timeout=11s", "--call-timeout=12s", "--max-payload=13KiB", "--max-in-flight=14KiB", "--max-calls=15", "--max-lifetime=16s",
		"--max-idle-time=17s", "--max-heap=18MiB", "--max-rss=19MiB", "--heartbeat=0s", "--busy-poll=0s", "--kill-grace=20s", "--drain-timeout=21s", "--watch", "--inspect=22",
		"--lambda-function-name=23", "--lambda-function-version=24", "--lambda-memory-size=25", "--lambda-function-arn=26",
		"--lambda-log-group=27", "--lambda-log-stream=28", "--lambda-region=29", "--lambda-runtime=nodejs24.x",
	}, &all); err != nil {
		t.Fatal(err)
	}
	want := rootbridge.Options{
		Entry: "1", Dir: "2", Node: "3", NodeArgs: []string{"4,4"}, Env: []string{"A=5,5"}, ReplaceEnv: true, Convention: "args", Codec: "json",
		Idempotent: []string{"6"}, Workers: 7, MinWorkers: -1, MaxDraining: 8, Concurrency: 9, BootTimeout: 10 * time.Second, QueueLimit: -1,
		QueueTimeout: 11 * time.Second, CallTimeout: 12 * time.Second, MaxPayload: 13 << 10, MaxInFlight: 14 << 10, MaxCalls: 15,
		MaxLifetime: 16 * time.Second, MaxIdleTime: 17 * time.Second, MaxHeap: 18 << 20, MaxRSS: 19 << 20, Heartbeat: -1, BusyPoll: -1,
		KillGrace: 20 * time.Second, DrainTimeout: 21 * time.Second, Watch: true, Inspect: "22",
		Lambda: rootbridge.LambdaOptions{
			FunctionName: "23", FunctionVersion: "24", MemorySize: 25, FunctionARN: "26", LogGroup: "27", LogStream: "28", Region: "29",
			Runtime: "nodejs24.x",
		},
	}
	if got := all.Serve.options(nil); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
