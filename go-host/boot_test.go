package rootbridge_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
)

func TestAModuleThatDoesNotLoadIsABootErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string // the first of index.js, index.mjs is the entry
		words []string
	}{
		"syntax error":         {map[string]string{"index.js": "exports.a = 1;\nexports.b = (;\n"}, []string{"SyntaxError", "index.js:2"}},
		"syntax error in ESM":  {map[string]string{"index.mjs": "export const a = 1;\nexport const b = (;\n"}, []string{"SyntaxError", "index.mjs:2"}},
		"missing dependency":   {map[string]string{"index.js": "require('left-padding')"}, []string{"Cannot find module", "left-padding"}},
		"missing ESM import":   {map[string]string{"index.mjs": "import 'left-padding'"}, []string{"left-padding"}},
		"throw at load":        {map[string]string{"index.js": "throw new RangeError('no database')"}, []string{"RangeError", "no database"}},
		"rejection at load":    {map[string]string{"index.mjs": "await Promise.reject(new Error('no database'))"}, []string{"no database"}},
		"exit at load":         {map[string]string{"index.js": "process.exit(0)"}, []string{"process.exit"}},
		"await that hangs":     {map[string]string{"index.mjs": "await new Promise(() => {})"}, []string{"await"}},
		"killed at load":       {map[string]string{"index.js": "process.kill(process.pid, 'SIGKILL')"}, []string{"signal: killed"}},
		"error in a submodule": {map[string]string{"index.js": "require('./lib')", "lib.js": "const x = ;"}, []string{"SyntaxError", "lib.js:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			entry := filepath.Join(dir, "index.js")
			for file, content := range c.files {
				path := writeFile(t, dir, file, content)
				if strings.HasPrefix(file, "index.") {
					entry = path
				}
			}
			e := startErr(t, rootbridge.Options{Entry: entry})
			expectCode(t, e, rootbridge.CodeBootFailed)
			whole := e.Error() + "\n" + e.Stack + "\n" + e.Stderr
			for _, word := range c.words {
				if !strings.Contains(whole, word) {
					t.Errorf("expected %q in\n%s", word, whole)
				}
			}
		})
	}
}

// endless is code that blocks the event loop for good, and takes no time from other tests.
const endless = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);"

func TestALoadThatNeverEndsFailsWithinTheBootTimeout(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"block": "console.log('before');" + endless + "export const a = 1;",
		"await": `setInterval(() => {}, 1000); await new Promise(() => {}); export const a = 1;`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startErr(t, rootbridge.Options{Source: source, BootTimeout: 4 * time.Second, KillGrace: 100 * time.Millisecond})
			expectCode(t, e, rootbridge.CodeBootFailed, "4s", "Options.BootTimeout", "did not finish loading")
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	o := rootbridge.Options{Source: endless + "export const a = 1;"}
	onTestNode(&o)
	_, err := rootbridge.Start(ctx, o)
	expectCode(t, err, rootbridge.CodeDeadlineExceeded, "starting")
}

func TestStartsContextBoundsOnlyTheStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := rootbridge.Options{Source: busy, Workers: 1}
	onTestNode(&o)
	host, err := rootbridge.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	cancel()
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestAMissingOrTooOldNodeIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := writeFile(t, dir, "old-node", "#!/bin/sh\nif [ \"$1\" = --version ]; then echo v12.22.12; else echo 'SyntaxError: Unexpected token ?' >&2; exit 1; fi\n")
	other := writeFile(t, dir, "other", "#!/bin/sh\necho 'python 3.11'\n")
	for _, path := range []string{old, other} {
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for node, words := range map[string][]string{
		filepath.Join(dir, "missing"): {"missing", "Options.Node"},
		old:                           {"v12.22.12", "18", "Options.Node"},
		other:                         {"no Node", "python 3.11"},
	} {
		e := startErr(t, rootbridge.Options{Source: busy, Node: node})
		expectCode(t, e, rootbridge.CodeBootFailed, words...)
		if strings.Contains(e.Error(), "\n") {
			t.Errorf("more than one line: %s", e)
		}
	}
}

func TestNodeIsFoundOnThePathOrTheErrorSaysWhereItWasSought(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := os.Stat("/nodejs/bin/node"); err == nil {
		t.Log("this machine has a distroless Node, which is found")
		return
	}
	_, err := rootbridge.Start(t.Context(), rootbridge.Options{Source: busy})
	expectCode(t, err, rootbridge.CodeBootFailed, "PATH", "/nodejs/bin/node", "Options.Node")
}

func TestOptionsOutOfRangeSayWhatTheyTake(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]rootbridge.Options{
		"expected Options.BusyPoll to be at most 1ms, or negative for none, got 2ms":            {Source: busy, BusyPoll: 2 * time.Millisecond},
		"expected Options.MinWorkers to be at most 1024, or negative for none, got 2000":        {Source: busy, MinWorkers: 2000},
		"expected Options.MaxCalls to be 0 or more, got -1":                                     {Source: busy, MaxCalls: -1},
		"expected Options.MaxInFlight to be 0 or more, got -1":                                  {Source: busy, MaxInFlight: -1},
		"expected Options.KillGrace between 0s and 876000h0m0s, got -1s":                        {Source: busy, KillGrace: -time.Second},
		"expected Options.MaxLifetime between 0s and 876000h0m0s, got 2562047h47m16.854775807s": {Source: busy, MaxLifetime: math.MaxInt64},
	} {
		expectCode(t, startErr(t, o), rootbridge.CodeInvalidArgument, want)
	}
}

func TestOptionsThatCannotBeUsedAreNamed(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]rootbridge.Options{
		"exactly one of Options.Entry": {},
		"got 2":                        {Entry: "a.js", Source: "export {}"},
		"Options.Entry":                {Entry: filepath.Join(t.TempDir(), "missing.js")},
		"Options.Workers":              {Source: busy, Workers: -1},
		"Options.Concurrency":          {Source: busy, Concurrency: -1},
		"Options.MaxPayload":           {Source: busy, MaxPayload: 100},
		"Options.Codec":                {Source: busy, Codec: "xml"},
		"Options.Convention":           {Source: busy, Convention: "swapped"},
		"Options.Env[1]":               {Source: busy, Env: []string{"A=1", "s3cret"}},
	} {
		e := startErr(t, o)
		expectCode(t, e, rootbridge.CodeInvalidArgument, want)
		if strings.Contains(e.Error(), "s3cret") {
			t.Errorf("a secret is in the error: %s", e)
		}
	}
	e := startErr(t, rootbridge.Options{Source: busy, Dir: filepath.Join(t.TempDir(), "missing")})
	expectCode(t, e, rootbridge.CodeBootFailed, "Options.Dir", "missing")
	e = startErr(t, rootbridge.Options{Source: "export const a = '" + strings.Repeat("x", 1<<20) + "';"})
	expectCode(t, e, rootbridge.CodeInvalidArgument, "Options.Source", "at most")
}

func TestTheWorkerSeesItsEntryAsNodeWouldStartIt(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "package.json", `{"name": "legacy"}`)
	entry := writeFile(t, dir, "lib/index.js", `
		exports.where = () => ({ main: require.main === module, argv: process.argv.slice(1), cwd: process.cwd(),
			own: process.env.OWN, inherited: process.env.HOST_VARIABLE, memory: process.execArgv.join() });`)
	host := start(t, entry, with(func(o *rootbridge.Options) {
		o.Env, o.NodeArgs = []string{"OWN=1", "OWN=2"}, []string{"--max-old-space-size=300"}
	}))
	var got struct {
		Main      bool
		Argv      []string
		Cwd, Own  string
		Memory    string
		Inherited *string
	}
	if err := host.Call(t.Context(), "where", nil, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Main || len(got.Argv) != 1 || got.Argv[0] != entry || got.Cwd != dir || got.Own != "2" || !strings.Contains(got.Memory, "--max-old-space-size=300") {
		t.Errorf("got %+v", got)
	}
}

func TestTheEnvironmentIsAddedToOrReplaced(t *testing.T) {
	t.Setenv("HOST_VARIABLE", "host")
	t.Setenv("NODE_CHANNEL_FD", "3") // as for a Go program that was started by a Node program
	t.Setenv("ROOTBRIDGE_FDS", "8,9")
	source := `export const env = () => [process.env.HOST_VARIABLE ?? null, process.env.OWN ?? null];`
	added := start(t, source, with(func(o *rootbridge.Options) { o.Env = []string{"OWN=own"} }))
	if got := call[[]string](t, added, "env", nil); got[0] != "host" || got[1] != "own" {
		t.Errorf("got %v", got)
	}
	replaced := start(t, source, with(func(o *rootbridge.Options) { o.ReplaceEnv = true }))
	if got := call[[]*string](t, replaced, "env", nil); got[0] != nil || got[1] != nil {
		t.Errorf("got %v", got)
	}
}

func TestPreloadsThatPrintBeforeTheWorkerRunsAreSkippedAndLogged(t *testing.T) {
	t.Parallel()
	var logged records
	preload := writeFile(t, t.TempDir(), "agent.cjs", `
		console.log('agent started'); process.stdout.write('\xff{"not": "a frame"}\n'); require('fs').writeSync(1, Buffer.from([0xff, 0x52, 0x42, 1, 3]));`)
	host := start(t, busy, logged.logTo, with(func(o *rootbridge.Options) {
		o.Env = []string{"NODE_OPTIONS=--require=" + preload}
	}))
	if got := call[int](t, host, "echo", 1); got != 1 {
		t.Errorf("got %d", got)
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(logged.String(), "agent started") {
		t.Errorf("what the preload printed was not logged:\n%s", logged.String())
	}
}

func TestAPreloadThatReadsStdinIsNamed(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"process.stdin.resume()", "process.stdin.on('data', () => {})", "process.stdin.on('readable', () => {})"} {
		preload := writeFile(t, t.TempDir(), "agent.cjs", code)
		e := startErr(t, rootbridge.Options{Entry: writeFile(t, t.TempDir(), "index.js", ""), NodeArgs: []string{"--require=" + preload}})
		expectCode(t, e, rootbridge.CodeBootFailed, "a preload", "reads process.stdin")
	}
}

func TestTheWorkerRunsWithoutAWritableDirectory(t *testing.T) {
	child := writeFile(t, t.TempDir(), "child.js", `process.send(process.execArgv.concat(process.argv[1]))`)
	files := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_CACHE_HOME", "TMPDIR"} {
		t.Setenv(variable, "/dev/null")
	}
	entry := writeFile(t, files, "where.js", `exports.argv = () => [process.argv[1], require.main.filename];`)
	for _, path := range call[[]string](t, start(t, entry), "argv", nil) {
		if path != entry {
			t.Errorf("the module sees itself as %s", path)
		}
	}
	clustered := start(t, writeFile(t, files, "clustered.js", `
		const cluster = require('cluster');
		if (cluster.isWorker) process.send(process.execArgv);
		exports.args = () => process.execArgv;
		exports.forked = () => new Promise((resolve) => cluster.fork().once('message', resolve));`), with(func(o *rootbridge.Options) {
		o.NodeArgs = []string{"--no-warnings"}
	}))
	for _, method := range []string{"args", "forked"} {
		if got := call[[]string](t, clustered, method, nil); len(got) != 1 || got[0] != "--no-warnings" {
			t.Errorf("%s: Node's arguments are %v", method, got)
		}
	}
	host := start(t, `
		import { fork } from 'node:child_process';
		export const argv = () => process.argv.slice(1);
		export const forked = (file) => new Promise((resolve) => fork(file).once('message', resolve));`)
	if got := call[[]string](t, host, "argv", nil); len(got) != 1 || filepath.Base(got[0]) != "rootbridge-source.mjs" {
		t.Errorf("the module sees the arguments %v", got)
	}
	if got := call[[]string](t, host, "forked", child); len(got) != 1 || got[0] != child {
		t.Errorf("a forked child runs with %v", got)
	}
}

// Program starts race for the same file: each host here is a process of its own.
func TestManyProgramsStartingAtOnceShareOneWorkerFile(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROOTBRIDGE_TEST_ROLE") == "program" {
		playProgram()
	}
	cache := t.TempDir()
	var programs sync.WaitGroup
	for range 4 {
		programs.Go(func() {
			self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestManyProgramsStartingAtOnceShareOneWorkerFile$")
			self.Env = append(os.Environ(), "ROOTBRIDGE_TEST_ROLE=program", "XDG_CACHE_HOME="+cache)
			if output, err := self.CombinedOutput(); err != nil || !strings.Contains(string(output), "echoed 7") {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	programs.Wait()
	files, err := os.ReadDir(filepath.Join(cache, "rootbridge"))
	if err != nil || len(files) != 1 || !strings.HasPrefix(files[0].Name(), "worker-") {
		t.Fatalf("the cache holds %v, %v", files, err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "rootbridge", "*", "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// What was compiled once is not compiled again, also after a worker that was killed.
func TestCompiledCodeIsKeptForTheNextWorker(t *testing.T) {
	cache := keepingCache(t)
	entry := writeFile(t, t.TempDir(), "legacy.js", "exports.echo = (value) => value;")
	host := start(t, entry)
	eventually(t, "the code is kept", func() bool { return len(keptFiles(t, cache, "*")) == 1 })
	if got := call[int](t, host, "echo", 7); got != 7 {
		t.Errorf("got %d", got)
	}
	eventually(t, "what the worker has compiled for a call is kept", func() bool { return len(keptFiles(t, cache, "worker-*")) == 1 })
}

func TestAWorkersCompiledFunctionsAreKeptWhereItEndsSoon(t *testing.T) {
	cache := keepingCache(t)
	host := start(t, "export const echo = (value) => value;")
	call[int](t, host, "echo", 7)
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	if kept := keptFiles(t, cache, "worker-*"); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
}

func TestCompiledFunctionsAreKeptWhereTheUserSaysSoAndNotWithFlagsThatHisCodeSets(t *testing.T) {
	keepingCache(t)
	for source, want := range map[string]int{
		"export const echo = (value) => value;": 1,
		"import v8 from 'node:v8'; v8.setFlagsFromString('--stack-size=900'); export const echo = (value) => value;": 0,
	} {
		folder := t.TempDir()
		host := start(t, source, with(func(o *rootbridge.Options) { o.Env = []string{"NODE_COMPILE_CACHE=" + folder} }))
		call[int](t, host, "echo", 7)
		if err := host.Close(); err != nil {
			t.Fatal(err)
		}
		kept, err := filepath.Glob(filepath.Join(folder, "*", "worker-*"))
		if err != nil || len(kept) != want {
			t.Errorf("%s: kept %v, %v", source, kept, err)
		}
	}
}

// V8 believes what it is given, and ends the process where that is wrong.
func TestAWorkerUsesWhatIsKeptOnlyWhereItIsWhole(t *testing.T) {
	cache := keepingCache(t)
	const source = "export const echo = (value) => value;"
	call[int](t, start(t, source), "echo", 7)
	eventually(t, "compiled code is kept", func() bool { return len(keptFiles(t, cache, "worker-*")) == 1 })
	kept := keptFiles(t, cache, "worker-*")[0]
	whole, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(place int) []byte {
		damaged := bytes.Clone(whole)
		damaged[place] ^= 0xff
		return damaged
	}
	damaged := map[string][]byte{"nothing": {}, "no more than zeros": make([]byte, len(whole)), "the half": whole[:len(whole)/2], "all but a byte": whole[:len(whole)-1]}
	for part := range 16 {
		damaged[fmt.Sprintf("a wrong byte in part %d", part)] = flipped(part*len(whole)/16 + 99)
	}
	for name, content := range damaged {
		writeFile(t, filepath.Dir(kept), filepath.Base(kept), string(content))
		host := start(t, source)
		if got := call[int](t, host, "echo", 7); got != 7 {
			t.Errorf("%s: got %d", name, got)
		}
		if err := host.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(kept); err != nil || bytes.Equal(now, content) {
			t.Errorf("%s: not replaced: %v", name, err)
		}
	}
	before := stat(t, kept)
	lines := logged(t, source, func(host *rootbridge.Host) { call[int](t, host, "echo", 7) })
	if !os.SameFile(before, stat(t, kept)) {
		t.Error("what is whole was not used, but made again")
	}
	for _, line := range lines {
		if line["source"] == "stderr" {
			t.Errorf("a worker that uses it says %v", line)
		}
	}
}

// keepingCache is an empty folder for what workers keep. It skips the test on a Node that keeps nothing.
func keepingCache(t *testing.T) string {
	t.Helper()
	node := call[string](t, start(t, "export const node = () => process.version;"), "node", nil)
	if strings.HasPrefix(node, "v18.") || strings.HasPrefix(node, "v20.") {
		t.Skipf("Node %s keeps no compiled code", node)
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	return cache
}

// keptFiles lists whole files that workers have kept.
func keptFiles(t *testing.T, cache, pattern string) []string {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(cache, "rootbridge", "worker-*", "compile-cache", "*", pattern))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(kept, func(path string) bool { return strings.HasSuffix(path, ".tmp") })
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestADebuggerAndCoverageSeeCodeThatIsCompiledAnew(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	const source = "import module from 'node:module'; export const folder = () => module.getCompileCacheDir?.() ?? '';"
	coverage := func(o *rootbridge.Options) { o.Env = []string{"NODE_V8_COVERAGE=" + t.TempDir()} }
	debugger := func(o *rootbridge.Options) { o.Inspect = "0" }
	for _, option := range []func(o *rootbridge.Options){coverage, debugger} {
		if folder := call[string](t, start(t, source, with(option)), "folder", nil); folder != "" {
			t.Errorf("compiled code is kept in %s", folder)
		}
	}
}

func playProgram() {
	o := rootbridge.Options{Source: busy}
	onTestNode(&o)
	host, err := rootbridge.Start(context.Background(), o)
	if err != nil {
		fmt.Println(err) //nolint:forbidigo // the parent test reads it
		os.Exit(1)
	}
	var out int
	err = host.Call(context.Background(), "echo", 7, &out)
	fmt.Println("echoed", out, err, host.Close()) //nolint:forbidigo // the parent test reads it
	os.Exit(0)
}
