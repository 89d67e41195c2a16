package rootbridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
)

const handlers = `
exports.handler = (event, context, callback) => callback(null, { event, id: context.awsRequestId });
exports.api = { orders: async (event) => ({ orders: event }) };
exports.context = async (event, context) => ({ ...context, trace: process.env._X_AMZN_TRACE_ID, left: context.getRemainingTimeInMillis() });
exports.env = async (names) => Object.fromEntries(names.map((name) => [name, process.env[name]]));
exports.pid = async () => process.pid;
exports.hang = () => new Promise((resolve) => setTimeout(resolve, 600_000));
exports.spin = () => { for (;;); };
exports.waits = async (dir) => {
  const { signal } = require('rootbridge').currentCall();
  while (!(signal.aborted && require('fs').existsSync(dir + '/go'))) await new Promise((resolve) => setTimeout(resolve, 2));
  require('fs').writeFileSync(dir + '/done', 'paid');
};
exports.fails = async () => { throw Object.assign(new RangeError('too far'), { status: 418 }); };
exports.rejects = async () => { Promise.reject(new TypeError('left')); await new Promise((resolve) => setTimeout(resolve, 600_000)); };
exports.large = async (size) => 'a'.repeat(size - 2);
let running = 0;
exports.most = async () => {
  const now = ++running;
  await new Promise((resolve) => setTimeout(resolve, 20));
  running -= 1;
  return now;
};
exports.meets = async () => {
  running += 1;
  while (running < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  return 'met';
};
`

// task starts a host for a handler string in a folder that has the handlers as index.js.
func task(t *testing.T, handler string, change func(*rootbridge.Options)) *rootbridge.Host {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "index.js", handlers)
	writeFile(t, dir, "src/app.js", handlers)
	return start(t, handler, with(func(o *rootbridge.Options) {
		o.Dir, o.Convention = dir, rootbridge.Lambda
		if change != nil {
			change(o)
		}
	}))
}

func TestTheEmptyMethodIsTheHandlerThatEntryNames(t *testing.T) {
	t.Parallel()
	host := task(t, "src/app.api.orders", nil)
	var got struct{ Orders struct{ ID int } }
	if err := host.Call(t.Context(), "", json.RawMessage(`{"id": 7}`), &got); err != nil || got.Orders.ID != 7 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := call[map[string]any](t, host, "handler", 1); got["event"] != 1.0 {
		t.Errorf("another function of the module: %v", got)
	}
	if got := call[map[string]map[string]bool](t, host, "", []byte(`{"raw":true}`)); !got["orders"]["raw"] {
		t.Errorf("JSON as bytes: %v", got)
	}
	expectCode(t, host.Call(t.Context(), "", []byte("{"), nil), rootbridge.CodeInvalidArgument, "JSON")
	expectCode(t, host.Call(t.Context(), "absent", nil, nil), rootbridge.CodeMethodNotFound, "absent")
}

func TestAFileCanBeAnEntryOfLambdaHandlersToo(t *testing.T) {
	t.Parallel()
	entry := writeFile(t, t.TempDir(), "index.js", handlers)
	host := start(t, entry, with(func(o *rootbridge.Options) { o.Convention = rootbridge.Lambda }))
	if got := call[map[string]any](t, host, "", 5); got["event"] != 5.0 {
		t.Errorf("the export handler: %v", got)
	}
	other := start(t, entry)
	if got := call[map[string]any](t, other, "handler", 5, rootbridge.WithConvention(rootbridge.Lambda)); got["event"] != 5.0 {
		t.Errorf("one call: %v", got)
	}
}

func TestAnInvocationIsWhatItsContextSays(t *testing.T) {
	t.Parallel()
	host := task(t, "index.context", func(o *rootbridge.Options) {
		o.Lambda = rootbridge.LambdaOptions{
			FunctionName: "orders", FunctionVersion: "7", MemorySize: 512, LogGroup: "group", LogStream: "stream",
			FunctionARN: "arn:aws:lambda:eu-west-1:1:function:orders",
		}
	})
	invocation := rootbridge.Invocation{
		RequestID: "r-1", FunctionARN: "arn:live", TraceHeader: "Root=1-2-3", TenantID: "tenant",
		ClientContext: json.RawMessage(`{"custom": {"a": 1}}`), Identity: json.RawMessage(`"me"`),
	}
	got := call[map[string]any](t, host, "", nil, rootbridge.WithInvocation(invocation), rootbridge.WithTimeout(time.Minute))
	left, _ := got["left"].(float64)
	delete(got, "left")
	if left <= 0 || left > 60_000 {
		t.Errorf("%v ms are left of a minute", left)
	}
	want := map[string]any{
		"callbackWaitsForEmptyEventLoop": true,
		"functionName":                   "orders", "functionVersion": "7", "memoryLimitInMB": "512",
		"logGroupName": "group", "logStreamName": "stream", "invokedFunctionArn": "arn:live", "awsRequestId": "r-1",
		"clientContext": map[string]any{"custom": map[string]any{"a": 1.0}}, "identity": "me", "tenantId": "tenant", "trace": "Root=1-2-3",
	}
	if !maps.EqualFunc(got, want, equalJSON) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	plain := call[map[string]any](t, host, "", nil)
	id, _ := plain["awsRequestId"].(string)
	if plain["invokedFunctionArn"] != "arn:aws:lambda:eu-west-1:1:function:orders" || !uuid.MatchString(id) || plain["trace"] != nil {
		t.Errorf("without an Invocation: %v", plain)
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func TestAnInvocationThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	host := task(t, "index.context", nil)
	err := host.Call(t.Context(), "", nil, nil, rootbridge.WithInvocation(rootbridge.Invocation{Identity: json.RawMessage(`{"secret`)}))
	expectCode(t, err, rootbridge.CodeInvalidArgument, "Invocation.Identity")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("what it carries is in the error: %v", err)
	}
	fits := func(size int) error {
		text := json.RawMessage(strconv.Quote(strings.Repeat("a", size)))
		return host.Call(t.Context(), "", nil, nil, rootbridge.WithInvocation(rootbridge.Invocation{ClientContext: text}))
	}
	if err := fits(16_000); err != nil {
		t.Error(err)
	}
	expectCode(t, fits(16_384), rootbridge.CodeInvalidArgument, "Invocation", "16384")
}

func TestTheEnvironmentIsLambdas(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-north-1")
	t.Setenv("_HANDLER", "bootstrap")
	names := []string{
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_GROUP_NAME",
		"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
		"LAMBDA_TASK_ROOT", "_HANDLER", "TZ", "OWN",
	}
	var dir string
	host := task(t, "index.env", func(o *rootbridge.Options) {
		dir, _ = filepath.EvalSymlinks(o.Dir)
		o.Env = []string{"OWN=1", "AWS_LAMBDA_FUNCTION_VERSION=mine"}
		o.Lambda.FunctionName = "orders"
	})
	got := call[map[string]string](t, host, "", names)
	stream := got["AWS_LAMBDA_LOG_STREAM_NAME"]
	if !regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[mine\][0-9a-f]{32}$`).MatchString(stream) {
		t.Errorf("log stream %q", stream)
	}
	want := map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME": "orders", "AWS_LAMBDA_FUNCTION_VERSION": "mine", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders", "AWS_LAMBDA_LOG_STREAM_NAME": stream,
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_REGION": "eu-north-1", "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x",
		"LAMBDA_TASK_ROOT": dir, "_HANDLER": "index.env", "TZ": ":UTC", "OWN": "1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestTheProgramsOwnRuntimeIsSeenWhereNoneIsChosen(t *testing.T) {
	t.Setenv("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs24.x")
	for runtime, want := range map[string]string{"": "AWS_Lambda_nodejs24.x", "nodejs22.x": "AWS_Lambda_nodejs22.x"} {
		host := task(t, "index.env", func(o *rootbridge.Options) { o.Lambda.Runtime = runtime })
		if got := call[map[string]string](t, host, "", []string{"AWS_EXECUTION_ENV"}); got["AWS_EXECUTION_ENV"] != want {
			t.Errorf("%q: %v", runtime, got)
		}
		if got := call[map[string]any](t, host, "handler", 1); got["event"] != 1.0 {
			t.Errorf("by the rules of nodejs22.x a handler may call back: %v", got)
		}
	}
}

func TestWhatTheUserSetsOfTheEnvironmentStays(t *testing.T) {
	t.Parallel()
	host := task(t, "index.env", func(o *rootbridge.Options) {
		o.Env = []string{"TZ=Europe/Berlin", "AWS_REGION=us-west-2", "_HANDLER=mine", "AWS_EXECUTION_ENV=mine"}
		o.Lambda = rootbridge.LambdaOptions{Region: "eu-west-1", Runtime: "nodejs24.x"}
		o.ReplaceEnv = true
	})
	got := call[map[string]string](t, host, "", []string{"TZ", "AWS_REGION", "AWS_DEFAULT_REGION", "_HANDLER", "AWS_EXECUTION_ENV", "HOME"})
	want := map[string]string{
		"TZ": "Europe/Berlin", "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-west-1", "_HANDLER": "mine", "AWS_EXECUTION_ENV": "mine",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAWorkerRunsOneInvocationAtATime(t *testing.T) {
	t.Parallel()
	host := task(t, "index.most", nil)
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if now := call[int](t, host, "", nil); now != 1 {
				t.Errorf("%d invocations ran at a time", now)
			}
		})
	}
	calls.Wait()
	several := task(t, "index.meets", func(o *rootbridge.Options) { o.Concurrency = 2 })
	for range 2 {
		calls.Go(func() {
			if got := call[string](t, several, "", nil); got != "met" {
				t.Errorf("with a Concurrency of 2: got %q", got)
			}
		})
	}
	calls.Wait()
}

func TestAnErrorOfAHandlerHasLambdasType(t *testing.T) {
	t.Parallel()
	host := task(t, "index.fails", nil)
	e := asError(t, host.Call(t.Context(), "", nil, nil))
	if e.Code != rootbridge.CodeException || e.Name != "RangeError" || e.Message != "too far" || e.Fields["status"] != 418.0 {
		t.Errorf("got %+v", e)
	}
	e = asError(t, host.Call(t.Context(), "large", 6_291_557, nil))
	if e.Code != rootbridge.CodeTooLarge || e.Name != "Function.ResponseSizeTooLarge" {
		t.Errorf("got %+v", e)
	}
}

func TestAnErrorThatNothingCatchesIsTheInvocationsAndEndsTheWorker(t *testing.T) {
	t.Parallel()
	host := task(t, "index.rejects", nil)
	before := call[int](t, host, "pid", nil)
	e := asError(t, host.Call(t.Context(), "", nil, nil))
	if e.Code != rootbridge.CodeException || e.Name != "Runtime.UnhandledPromiseRejection" || e.Message != "TypeError: left" {
		t.Errorf("got %+v", e)
	}
	if after := call[int](t, host, "pid", nil); after == before {
		t.Error("the same process answers")
	}
}

func TestAnOverdueInvocationEndsItsWorkerAndAnotherIsStarted(t *testing.T) {
	t.Parallel()
	for _, handler := range []string{"hang", "spin"} {
		t.Run(handler, func(t *testing.T) {
			t.Parallel()
			host := task(t, "index."+handler, func(o *rootbridge.Options) { o.KillGrace = long })
			before := call[int](t, host, "pid", nil)
			_ = overdue(t, host, "", nil, 50*time.Millisecond)
			after := call[int](t, host, "pid", nil)
			if after == before {
				t.Error("the same process answers")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // enough to be sent
			defer cancel()
			if err := host.Call(ctx, "", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if last := call[int](t, host, "pid", nil); last == after {
				t.Error("the same process answers after a context's deadline")
			}
			stats := host.Stats()
			if stats.RestartsBy["overdue"] != 2 || stats.Restarts != 2 {
				t.Errorf("stats: %+v", stats)
			}
		})
	}
}

// leave begins an invocation, and returns when its caller has gone away, which it does as soon as the handler runs.
func leave(t *testing.T, host *rootbridge.Host, method string, event any, options ...rootbridge.CallOption) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() { expectCode(t, host.Call(ctx, method, event, nil, options...), rootbridge.CodeCanceled) })
	eventually(t, "the invocation runs", func() bool { return host.Stats().Workers[0].Calls == 1 })
	cancel()
	done.Wait()
}

func TestAnInvocationWhoseCallerHasGoneIsNotCutOff(t *testing.T) {
	t.Parallel()
	host := task(t, "index.waits", func(o *rootbridge.Options) { o.Workers, o.KillGrace = 1, 1500*time.Millisecond })
	dir := t.TempDir()
	leave(t, host, "", dir)
	err := host.Call(t.Context(), "pid", nil, nil, rootbridge.WithTimeout(3500*time.Millisecond)) // long after KillGrace
	expectCode(t, err, rootbridge.CodeDeadlineExceeded, "waiting for a worker")
	writeFile(t, dir, "go", "")
	eventually(t, "it has ended", func() bool { return host.Stats().LateReplies == 1 })
	if text, err := os.ReadFile(filepath.Join(dir, "done")); err != nil || string(text) != "paid" {
		t.Errorf("what it has written: %q, %v", text, err)
	}
	if s := host.Stats(); s.Restarts != 0 || s.InFlight != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestAnInvocationWhoseCallerHasGoneEndsItsWorkerWhenItsOwnTimeIsOver(t *testing.T) {
	t.Parallel()
	host := task(t, "index.hang", func(o *rootbridge.Options) { o.Workers, o.KillGrace = 1, long })
	leave(t, host, "", nil, rootbridge.WithTimeout(2*time.Second))
	if s := host.Stats(); s.Workers[0].Abandoned != 1 || s.Restarts != 0 {
		t.Errorf("stats: %+v", s)
	}
	call[int](t, host, "pid", nil, rootbridge.WithTimeout(long))
	if s := host.Stats(); s.RestartsBy["overdue"] != 1 || s.Restarts != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestAnInvocationWhoseCallerHasGoneMayEndWhileTheHostCloses(t *testing.T) {
	t.Parallel()
	host := task(t, "index.waits", func(o *rootbridge.Options) { o.Workers, o.DrainTimeout = 1, long })
	dir := t.TempDir()
	leave(t, host, "", dir)
	var closing sync.WaitGroup
	closing.Go(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the host is closing", func() bool {
		return rootbridge.CodeOf(host.Call(t.Context(), "pid", nil, nil)) == rootbridge.CodeClosed
	})
	writeFile(t, dir, "go", "")
	closing.Wait()
	if _, err := os.Stat(filepath.Join(dir, "done")); err != nil {
		t.Error(err)
	}
}

func TestALoopThatAnInvocationBlocksIsKilledWhenItsCallerHasGone(t *testing.T) {
	t.Parallel()
	host := task(t, "index.spin", func(o *rootbridge.Options) { o.Workers, o.KillGrace, o.Heartbeat = 1, 100*time.Millisecond, -1 })
	leave(t, host, "", nil, rootbridge.WithTimeout(long))
	call[int](t, host, "pid", nil, rootbridge.WithTimeout(long))
	if s := host.Stats(); s.RestartsBy["crashed"] != 1 {
		t.Errorf("stats: %+v", s)
	}
}

func TestBootErrorsOfHandlersHaveLambdasTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "syntax.js", "exports.handler = async () => {")
	writeFile(t, dir, "needs.js", "require('not-there-at-all')")
	writeFile(t, dir, "throws.js", "throw new RangeError('at import')")
	writeFile(t, dir, "index.js", "exports.text = 'text'; exports.old = (event, context, callback) => callback();")
	for handler, want := range map[string]struct{ name, message string }{
		"syntax.handler":   {"Runtime.UserCodeSyntaxError", "SyntaxError: "},
		"needs.handler":    {"Runtime.ImportModuleError", "Error: Cannot find module 'not-there-at-all'"},
		"missing.handler":  {"Runtime.ImportModuleError", "Error: Cannot find module 'missing'"},
		"throws.handler":   {"RangeError", "at import"},
		"index.handler":    {"Runtime.HandlerNotFound", "index.handler is undefined or not exported"},
		"index.text":       {"Runtime.HandlerNotFound", "index.text is not a function"},
		"../index.handler": {"Runtime.MalformedHandlerName", "'../index.handler' is not a valid handler name."},
		"index.old":        {"Runtime.CallbackHandlerDeprecated", "callback"},
	} {
		e := startErr(t, rootbridge.Options{
			Entry: handler, Dir: dir, Convention: rootbridge.Lambda, Workers: 1, Lambda: rootbridge.LambdaOptions{Runtime: "nodejs24.x"},
		})
		if e.Code != rootbridge.CodeBootFailed || e.Name != want.name || !strings.Contains(e.Message, want.message) {
			t.Errorf("%s: %s: %s", handler, e.Name, e.Message)
		}
	}
	expectCode(t, startErr(t, rootbridge.Options{Entry: "nodot", Dir: dir, Convention: rootbridge.Lambda}), rootbridge.CodeInvalidArgument, "Options.Entry")
	expectCode(t, startErr(t, rootbridge.Options{Entry: "index.handler", Dir: dir}), rootbridge.CodeInvalidArgument, "Options.Entry")
	expectCode(t, startErr(t, rootbridge.Options{Source: busy, Lambda: rootbridge.LambdaOptions{Runtime: "nodejs12.x"}}), rootbridge.CodeInvalidArgument, "Options.Lambda.Runtime", "nodejs22.x")
	expectCode(t, startErr(t, rootbridge.Options{Source: busy, Lambda: rootbridge.LambdaOptions{MemorySize: -1}}), rootbridge.CodeInvalidArgument, "Options.Lambda.MemorySize")
}

func TestAHandlersGenerationIsPinnedUntilTheNextReload(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	release := func(version string) string {
		return filepath.Dir(writeFile(t, root, "releases/"+version+"/index.js", "exports.handler = async () => '"+version+"'; exports.end = async () => process.exit(1);"))
	}
	link := filepath.Join(root, "current")
	point := func(to string) {
		next := filepath.Join(root, "next")
		if err := errors.Join(os.Symlink(to, next), os.Rename(next, link)); err != nil {
			t.Fatal(err)
		}
	}
	point(release("one"))
	host := start(t, "index.handler", with(func(o *rootbridge.Options) { o.Dir, o.Convention = link, rootbridge.Lambda }))
	point(release("two"))
	expectCode(t, host.Call(t.Context(), "end", nil, nil), rootbridge.CodeWorkerCrashed, "process.exit")
	if got := call[string](t, host, "", nil); got != "one" {
		t.Errorf("a new worker of the first generation answered %q", got)
	}
	if err := host.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := call[string](t, host, "", nil); got != "two" {
		t.Errorf("after a reload: %q", got)
	}
	writeFile(t, root, "releases/two/index.js", "exports.handler = ;")
	e := asError(t, host.Reload(t.Context()))
	if e.Code != rootbridge.CodeBootFailed || e.Name != "Runtime.UserCodeSyntaxError" {
		t.Errorf("got %+v", e)
	}
	if got := call[string](t, host, "", nil); got != "two" {
		t.Errorf("after a reload that failed: %q", got)
	}
}

func TestAHandlersFilesAreWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "src/app.js", "exports.handler = async () => 'one';")
	writeFile(t, dir, "package.json", "{}")
	host := start(t, "src/app.handler", with(func(o *rootbridge.Options) { o.Dir, o.Convention, o.Watch = dir, rootbridge.Lambda, true }))
	if got := call[string](t, host, "", nil); got != "one" {
		t.Errorf("got %q", got)
	}
	writeFile(t, dir, "src/app.js", "exports.handler = async () => 'two';")
	eventually(t, "the new code answers", func() bool { return call[string](t, host, "", nil) == "two" })
	if err := os.Rename(filepath.Join(dir, "src", "app.js"), filepath.Join(dir, "src", "app.mjs")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "src/app.mjs", "export const handler = async () => 'three';")
	eventually(t, "the module of another name answers", func() bool { return call[string](t, host, "", nil) == "three" })
}
