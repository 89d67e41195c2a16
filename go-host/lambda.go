package rootbridge

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
)

// Lambda calls a handler as AWS Lambda does: with an event, which is in, a context and a callback. docs/lambda.md says where
// it differs.
//
// As Options.Convention it makes the workers an environment like Lambda's: Entry may be a handler string such as
// "src/app.handler", and the method "" is that handler; Concurrency is 1 by default; Options.Lambda sets the environment's
// variables; an invocation whose time is over, or an error that nothing catches, ends its worker, and another is started. One
// whose caller goes away goes on until its time is over; its context's cancellation ends nothing but the wait.
const Lambda Convention = "lambda"

// LambdaOptions is what Lambda handlers see of their function in context and in environment variables. A variable in
// Options.Env wins; one that the program itself has is kept where the option is not set, so that on Lambda handlers see the
// real one.
type LambdaOptions struct {
	// FunctionName is context.functionName and AWS_LAMBDA_FUNCTION_NAME. Default: the name of the workers' folder.
	FunctionName string

	// FunctionVersion is context.functionVersion and AWS_LAMBDA_FUNCTION_VERSION. Default "$LATEST".
	FunctionVersion string

	// MemorySize is context.memoryLimitInMB and AWS_LAMBDA_FUNCTION_MEMORY_SIZE, in MB. It limits nothing; Options.MaxHeap
	// does. Default 128.
	MemorySize int

	// FunctionARN is context.invokedFunctionArn of invocations that bring none. Default: one of account 000000000000, made
	// of Region, or us-east-1, and FunctionName.
	FunctionARN string

	// LogGroup is context.logGroupName and AWS_LAMBDA_LOG_GROUP_NAME. Default: /aws/lambda/ and FunctionName.
	LogGroup string

	// LogStream is context.logStreamName and AWS_LAMBDA_LOG_STREAM_NAME. Default: one for each worker, of the day, the
	// version and 32 random digits.
	LogStream string

	// Region is AWS_REGION and AWS_DEFAULT_REGION. Default: they stay as they are.
	Region string

	// Runtime is whose rules hold: "nodejs22.x", by which handlers may call back, or "nodejs24.x", by which only promises and
	// returned values count. It need not be the version of Options.Node. Default "nodejs22.x". AWS_EXECUTION_ENV names it, unless
	// it is not set and the program has such a variable: then handlers see that, and the rules are those of the default.
	Runtime string
}

// The runtimes whose rules there are.
const (
	lambdaRuntime22 = "nodejs22.x"
	lambdaRuntime24 = "nodejs24.x"
)

// Invocation is what an invocation of a Lambda handler carries beside its event. Its deadline is the call's.
type Invocation struct {
	RequestID     string          // context.awsRequestId; default: a new UUID
	FunctionARN   string          // context.invokedFunctionArn; default: LambdaOptions.FunctionARN
	TraceHeader   string          // an X-Ray trace header, in _X_AMZN_TRACE_ID until the worker's next invocation starts
	ClientContext json.RawMessage // context.clientContext
	Identity      json.RawMessage // context.identity, from Cognito
	TenantID      string          // context.tenantId
}

// WithInvocation says what an invocation carries beside its event. Without effect on calls of other conventions than Lambda.
func WithInvocation(invocation Invocation) CallOption {
	return func(s *callSettings) { s.invocation = &invocation }
}

func (o Options) checkLambda() error {
	return errors.Join(
		checkRange("Lambda.MemorySize", o.Lambda.MemorySize, 0, 1<<20),
		checkWord("Options.Lambda.Runtime", o.Lambda.Runtime, "", lambdaRuntime22, lambdaRuntime24),
	)
}

// isLambda tells whether the workers get an environment like Lambda's.
func (o Options) isLambda() bool { return o.Convention == Lambda }

// asHandler takes Entry for a handler string.
func (o Options) asHandler() (Options, error) {
	dir, err := filepath.Abs(cmp.Or(o.Dir, "."))
	if err != nil {
		return o, fmt.Errorf("Options.Dir: %w", err)
	}
	o.handler, o.Entry, o.Dir = o.Entry, "", dir
	return o, nil
}

// isHandler tells a handler string, whose last part is MODULE.FUNCTION, from the path of a file that is missing.
func isHandler(entry string) bool {
	return strings.Contains(path.Base(entry), ".") && !codeFile.MatchString(entry)
}

// codeFile is how the names of files end.
var codeFile = regexp.MustCompile(`\.[cm]?[jt]sx?$`)

// handlerModule returns the file or folder that Lambda loads for a handler string, without symlinks; "" if there is none,
// or none that may be loaded, which the worker says better.
func handlerModule(dir, handler string) string {
	if strings.Contains(handler, "..") {
		return ""
	}
	name := path.Base(handler)
	root := filepath.FromSlash(strings.TrimSuffix(handler, name))
	module, _, _ := strings.Cut(name, ".")
	if !filepath.IsAbs(root) {
		root = filepath.Join(dir, root)
	}
	for _, extension := range []string{"", ".js", ".mjs", ".cjs"} {
		if file, err := filepath.EvalSymlinks(filepath.Join(root, module+extension)); err == nil {
			return file
		}
	}
	return ""
}

// invocationMeta is what an invocation carries. given may be nil.
func (l LambdaOptions) invocationMeta(given *Invocation) (*frame.InvocationMeta, *Error) {
	var i Invocation
	if given != nil {
		i = *given
	}
	for name, text := range map[string]json.RawMessage{"ClientContext": i.ClientContext, "Identity": i.Identity} {
		if len(text) > 0 && !json.Valid(text) {
			return nil, &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf("expected Invocation.%s to be JSON, got %d bytes that are none", name, len(text))}
		}
	}
	return &frame.InvocationMeta{
		RequestID: i.RequestID, FunctionARN: cmp.Or(i.FunctionARN, l.FunctionARN), Trace: i.TraceHeader,
		ClientContext: i.ClientContext, Identity: i.Identity, TenantID: i.TenantID,
	}, nil
}

// longestInvocation is Lambda's: of an invocation without a bound.
const longestInvocation = 15 * time.Minute

// endLater gives an invocation whose caller has gone away its whole time, as Lambda does. A loop that does not turn is not waited
// for.
func (w *worker) endLater(call *conn.Call, limit limit, meta frame.CallMeta) {
	if w.inspector != "" {
		return
	}
	w.look()
	left := longestInvocation
	if !limit.first.IsZero() {
		left = time.Until(limit.first)
	}
	time.AfterFunc(left, func() {
		if w.conn.Forsake(call) {
			w.endEnvironment(meta)
		}
	})
}

// endEnvironment ends a worker, which has an invocation whose time is over, as Lambda does. Another is started at once.
func (w *worker) endEnvironment(meta frame.CallMeta) {
	if w.inspector != "" {
		return
	}
	w.host.options.Logger.Warn("killing a worker with an overdue invocation",
		"worker", w.pid(), "method", meta.Method, "trace_id", meta.TraceID)
	w.host.supervisor.Leave(w, reasonOverdue)
	w.kill(&Error{
		Code: CodeWorkerCrashed,
		Message: fmt.Sprintf("the worker was killed: an invocation of %q on it was overdue, which ends its environment (convention lambda); "+
			"the function may have run", meta.Method),
	})
}

// taskRoot is an absolute path of the folder that workers run in.
func taskRoot(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil { // of "" the program's own working directory
		return absolute
	}
	return dir
}

// withLambdaDefaults fills in what invocations bring; the environment's other variables have defaults of their own.
func (o Options) withLambdaDefaults() LambdaOptions {
	l, e := o.Lambda, lambdaEnvironment{env: o.inherited(), own: o.Env}
	setDefault(&l.Runtime, lambdaRuntime22)
	l.FunctionName = e.value("AWS_LAMBDA_FUNCTION_NAME", l.FunctionName, filepath.Base(taskRoot(o.folder())))
	region := e.value("AWS_REGION", l.Region, "us-east-1")
	setDefault(&l.FunctionARN, fmt.Sprintf("arn:aws:lambda:%s:000000000000:function:%s", region, l.FunctionName))
	return l
}

// lambdaExecutionEnv is AWS_EXECUTION_ENV, as long as it is known whether Lambda.Runtime is set.
func (o Options) lambdaExecutionEnv() string {
	const prefix = "AWS_Lambda_"
	if o.Lambda.Runtime != "" {
		return prefix + o.Lambda.Runtime
	}
	e := lambdaEnvironment{env: o.inherited(), own: o.Env}
	return e.value("AWS_EXECUTION_ENV", "", prefix+lambdaRuntime22)
}

// lambdaEnvironment returns env with the variables that Lambda sets. Those that are in Env, the user's, stay.
func (o Options) lambdaEnvironment(env []string, dir string) []string {
	l, e := o.Lambda, lambdaEnvironment{env: env, own: o.Env}
	dir = taskRoot(dir)
	e.always("LAMBDA_TASK_ROOT", dir)
	e.always("_HANDLER", o.handler)
	e.always("AWS_EXECUTION_ENV", o.executionEnv)
	e.always("TZ", ":UTC")
	e.always("LANG", "en_US.UTF-8")
	e.optional("AWS_REGION", l.Region, "")
	e.optional("AWS_DEFAULT_REGION", l.Region, "")
	e.optional("AWS_LAMBDA_FUNCTION_NAME", l.FunctionName, "")
	version := e.optional("AWS_LAMBDA_FUNCTION_VERSION", l.FunctionVersion, "$LATEST")
	memory := ""
	if l.MemorySize > 0 {
		memory = strconv.Itoa(l.MemorySize)
	}
	e.optional("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory, "128")
	e.optional("AWS_LAMBDA_LOG_GROUP_NAME", l.LogGroup, "/aws/lambda/"+l.FunctionName)
	e.optional("AWS_LAMBDA_LOG_STREAM_NAME", l.LogStream, logStream(version))
	e.optional("AWS_LAMBDA_INITIALIZATION_TYPE", "", "on-demand")
	e.optional("AWS_XRAY_CONTEXT_MISSING", "", "LOG_ERROR")
	return append(e.env, o.Env...)
}

// lambdaEnvironment gathers variables.
type lambdaEnvironment struct{ env, own []string }

// always sets a variable, unless the user does or the value is empty.
func (e *lambdaEnvironment) always(name, value string) {
	if _, found := lookUp(e.own, name); !found && value != "" {
		e.env = append(e.env, name+"="+value)
	}
}

// optional sets a variable to what value says, which it returns.
func (e *lambdaEnvironment) optional(name, option, fallback string) string {
	value := e.value(name, option, fallback)
	e.always(name, value)
	return value
}

// value is what a variable is to be: the user's, the option's, that which is there, or the default.
func (e *lambdaEnvironment) value(name, option, fallback string) string {
	if value, found := lookUp(e.own, name); found {
		return value
	}
	inherited, _ := lookUp(e.env, name)
	return cmp.Or(option, inherited, fallback)
}

// lookUp returns the value of a variable: the last, which counts.
func lookUp(env []string, name string) (string, bool) {
	for _, variable := range slices.Backward(env) {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value, true
		}
	}
	return "", false
}

// logStream is named as Lambda does for each environment.
func logStream(version string) string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return fmt.Sprintf("%s/[%s]%s", time.Now().UTC().Format("2006/01/02"), version, hex.EncodeToString(id[:]))
}
