package rootbridge

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rootbridge/internal/frame"
)

// Options says what to run and within which bounds. Only one of Entry, Source and Command is required; everything else
// has a default. Numbers and times below zero are refused where nothing else is said of them.
type Options struct {
	// Entry is the JavaScript (or, on Node 22.18 and newer, TypeScript) file or package folder whose exports are called.
	// A relative path is relative to the program's working directory. With the convention Lambda it may be a handler string
	// in place of a file, such as "index.handler" or "src/app.api.orders", relative to Dir.
	Entry string

	// Source is the text of an ES module to run in place of Entry, at most 1 MiB less what surrounds it in JSON. Its
	// imports are resolved from Dir. Meant for tests and small rules.
	Source string

	// Command is a worker program in any language that speaks the protocol on its stdin and stdout, with its arguments,
	// in place of Node, Entry and Source.
	Command []string

	// Dir is the workers' working directory. Default: the nearest folder with a package.json at or above Entry, else
	// Entry's folder; without Entry, or with a handler string, the program's own working directory.
	Dir string

	// Workers is the number of worker processes, at most 1,024. Each is a Node of some 40 MB and more. Default 2, so that one
	// that is stuck leaves another. While workers are replaced there may be one more, and up to MaxDraining that finish.
	Workers int

	// MinWorkers makes the number go by load, between MinWorkers and Workers: one more as soon as calls have to wait or event
	// loops are busy, one fewer when for MaxIdleTime fewer would have done. Default: Workers, so that it is fixed. Negative
	// means that none need run: Start then starts none, and the first call waits for one, at most for QueueTimeout.
	MinWorkers int

	// MaxDraining is how many workers that were replaced may be finishing their calls at a time; the next replacement waits
	// for one of them. Default: Workers. At most 65,536.
	MaxDraining int

	// Concurrency is how many calls one worker runs at a time. Default 16: one Node interleaves calls that wait for
	// something. Use 1 for code that is not safe to interleave, which is the default with the convention Lambda. At most
	// 65,536.
	Concurrency int

	// Node is the node executable, a path or a name on the PATH. Default: node on the PATH, else /nodejs/bin/node.
	Node string

	// NodeArgs are options for node itself, such as --max-old-space-size=512 or --import=tsx. What they preload must leave
	// stdin alone, on which the host speaks to the worker: one that reads it to its end keeps the worker from starting.
	NodeArgs []string

	// Env lists further environment variables, as KEY=value; a later one wins. Default: none.
	Env []string

	// ReplaceEnv makes Env the whole environment, in place of an addition to the program's own; but for ROOTBRIDGE_WORKER, by
	// which a worker's descendants are found.
	ReplaceEnv bool

	// Codec is how values are encoded. Default JSON.
	Codec Codec

	// JSON encodes arguments and decodes results of the codec JSON in place of encoding/json. Default: encoding/json, whose
	// results a decoder with the same rules reads where it can. docs/performance.md says which libraries were measured.
	JSON JSONLibrary

	// Convention is how functions are called. Default ConventionValue. A call can choose its own.
	Convention Convention

	// Lambda is what handlers see of their function with the convention Lambda.
	Lambda LambdaOptions

	// CallTimeout bounds each call, waiting included; a context's earlier deadline and WithTimeout win. Default 30 s;
	// negative means no bound.
	CallTimeout time.Duration

	// BootTimeout bounds the time from the start of a worker until its module has loaded. Default 30 s.
	BootTimeout time.Duration

	// QueueLimit is how many calls may wait for a worker at a time; the next fails with CodeOverloaded. Default 1,024;
	// negative means that none may wait. Calls that a worker had and did not begin wait once more beside them.
	QueueLimit int

	// QueueTimeout is how long a call may wait for a worker before it fails with CodeQueueTimeout. Default 10 s.
	QueueTimeout time.Duration

	// KillGrace is how long a worker whose event loop does not answer may stay so once a call is overdue, and how long
	// each step of ending a worker (end of stdin, TERM) may take before the next. Default 2 s.
	KillGrace time.Duration

	// DrainTimeout bounds how long Close, or the replacement of a worker, waits for calls in flight. Default 10 s.
	DrainTimeout time.Duration

	// Idempotent names methods that may be run twice: when a worker dies, or is killed, during a call of one, the call is run
	// once more on another worker, within the same time. All other calls are never run twice. WithIdempotent does it for one.
	Idempotent []string

	// MaxCalls is after how many calls a worker is replaced, less up to a tenth, so that workers are not replaced together.
	// Like every recycling it starts the new worker first, off the path of any call, and waits for a reload if the code's
	// files have changed meanwhile. Default 0: never.
	MaxCalls int

	// MaxLifetime is after what time a worker is replaced, less up to a tenth. Default 0: never.
	MaxLifetime time.Duration

	// MaxIdleTime is after what time without calls a worker that has had some is replaced by a fresh one, less up to a tenth,
	// and after what time a worker beyond MinWorkers that was not needed ends. Default: never, and 1 minute.
	MaxIdleTime time.Duration

	// MaxHeap is the size in bytes of a worker's JavaScript heap at which Node gives up (--max-old-space-size, unless NodeArgs
	// or NODE_OPTIONS has it). A worker that stays near it is replaced before. Default: in a container with a memory limit, an
	// equal share of three quarters of that for as many workers as there can be at a time, if it is less than Node's own
	// default; else Node's own. At least 8 MiB, below which Node does not start; the share is never less than 64 MiB, so that
	// many workers in a small container may have more together than it has.
	MaxHeap int64

	// MaxRSS is the resident memory in bytes beyond which a worker is replaced; at twice as much it is killed at once, whatever
	// it runs. Default 0: no limit.
	MaxRSS int64

	// Heartbeat is how often workers are asked for a sign of life, for memory and event-loop utilization. One that does not
	// answer for KillGrace takes no further calls until it does; it is killed when a call on it is overdue, when nobody
	// waits for those that it runs, or, if it runs none, after CallTimeout. Default 2 s; negative turns it off, and with it recycling, and MinWorkers by utilization.
	Heartbeat time.Duration

	// ReloadOnSignal makes SIGUSR2 to this process reload the code, as Host.Reload does. Default false: a library does not
	// take signals unasked. Without effect on Windows.
	ReloadOnSignal bool

	// Watch reloads the code when files of Entry's package change: code, data and templates below the folder of its
	// package.json, node_modules and folders whose names begin with a dot left out. For development.
	Watch bool

	// Inspect runs a single worker with Node's inspector, for a debugger: on a loopback address such as 127.0.0.1:9229, on a
	// port of it such as 9229, or on any free port with 0. Where to attach is logged, and in WorkerStats.Inspector. A worker
	// that stands at a breakpoint is not taken for a stuck one: CallTimeout, QueueTimeout, BootTimeout, heartbeats, recycling
	// and MinWorkers are off; a context still ends its call. Default "": off.
	Inspect string

	// BusyPoll is how long the host asks for the next answer of a worker before it waits for the system's word, which takes
	// tens of microseconds. It does so only while answers follow each other within a few times that, and while GOMAXPROCS leaves a
	// processor for it beside each worker with calls; docs/performance.md has its rules. Default 100 µs, at most 1 ms; negative
	// turns it off. Without effect on Windows.
	BusyPoll time.Duration

	// MaxInFlight is how many bytes the arguments of all calls may have together that wait, run, or still run although nobody
	// waits; one more fails with CodeOverloaded. At least MaxPayload. Default 256 MiB, or MaxPayload if that is more.
	MaxInFlight int

	// MaxPayload is the largest argument or result in bytes, at least 1,024 and at most 1 GiB. Default 32 MiB.
	MaxPayload int

	// Logger gets what the JavaScript prints (attributes worker, source, method, trace_id) and what happens to workers.
	// Payloads and environment values are never logged. Default slog.Default().
	Logger *slog.Logger

	handler      string // Entry, where that is a Lambda handler string; Entry is empty then
	executionEnv string // of workers with the convention Lambda
}

// Codec is how arguments and results are encoded. docs/values.md has what each value becomes.
type Codec string

// The codecs.
const (
	// JSON is JSON.stringify and JSON.parse in JavaScript, encoding/json in Go.
	JSON Codec = "json"
	// MsgPack is MessagePack: smaller and faster for bytes and large texts. Struct tags are those of encoding/json.
	MsgPack Codec = "msgpack"
)

// JSONLibrary is another JSON library: both of its functions, or neither. What they make of Go's values is theirs; text that
// is not UTF-8 or nested too deeply never gets to Unmarshal. null, which undefined is too, does once the variable has its zero
// value, for types whose own UnmarshalJSON is told of it. Unmarshal may keep references to the text.
type JSONLibrary struct {
	Marshal   func(value any) ([]byte, error)
	Unmarshal func(text []byte, value any) error
}

func (l JSONLibrary) check() error {
	if (l.Marshal == nil) != (l.Unmarshal == nil) {
		return errors.New("Options.JSON: expected both Marshal and Unmarshal, got one of them")
	}
	return nil
}

// Convention is how a JavaScript function is called (protocol/README.md, section 6).
type Convention string

// The conventions.
const (
	// ConventionValue calls fn(in), or fn() for a nil in.
	ConventionValue Convention = "value"
	// ConventionArgs calls fn(...in): in is a list. An in of type Args chooses it by itself.
	ConventionArgs Convention = "args"
	// ConventionCallback calls fn(in, done) and waits for done(err, result).
	ConventionCallback Convention = "callback"
	// ConventionArgsCallback calls fn(...in, done). An in of type Args chooses it where ConventionCallback is the default.
	ConventionArgsCallback Convention = "args_callback"
)

// withDefaults returns the options with every field set, or an error that says which one can't be used.
func (o Options) withDefaults() (Options, error) {
	if err := o.check(); err != nil {
		return o, err
	}
	if o.Inspect != "" {
		o.Workers, o.MinWorkers = 1, 1
	}
	setDefault(&o.Workers, 2)
	setDefault(&o.MinWorkers, o.Workers)
	setDefault(&o.MaxDraining, o.Workers)
	o.MinWorkers = max(0, o.MinWorkers)
	setDefault(&o.Heartbeat, 2*time.Second)
	if o.isLambda() {
		setDefault(&o.Concurrency, 1)
	}
	setDefault(&o.Concurrency, 16)
	setDefault(&o.Codec, JSON)
	setDefault(&o.Convention, ConventionValue)
	setDefault(&o.CallTimeout, 30*time.Second)
	setDefault(&o.BootTimeout, 30*time.Second)
	setDefault(&o.QueueLimit, 1024)
	setDefault(&o.QueueTimeout, 10*time.Second)
	setDefault(&o.KillGrace, 2*time.Second)
	setDefault(&o.DrainTimeout, 10*time.Second)
	setDefault(&o.BusyPoll, 100*time.Microsecond)
	setDefault(&o.MaxPayload, frame.DefaultMaxPayload)
	setDefault(&o.MaxInFlight, max(256<<20, o.MaxPayload))
	setDefault(&o.Logger, slog.Default())
	o.Logger = slog.New(guardedHandler{o.Logger.Handler()})
	if o.MaxInFlight < o.MaxPayload {
		return o, fmt.Errorf("expected Options.MaxInFlight to be at least MaxPayload (%d), got %d", o.MaxPayload, o.MaxInFlight)
	}
	if o.MinWorkers > o.Workers {
		return o, fmt.Errorf("expected Options.MinWorkers to be at most Workers (%d), got %d", o.Workers, o.MinWorkers)
	}
	o, err := o.resolveEntry()
	if err == nil && o.isLambda() {
		o.executionEnv = o.lambdaExecutionEnv()
		o.Lambda = o.withLambdaDefaults()
	}
	return o, err
}

// shrinkAfter is for how long fewer workers must do before there are fewer.
func (o Options) shrinkAfter() time.Duration { return cmp.Or(o.MaxIdleTime, time.Minute) }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o Options) check() error {
	given := 0
	for _, is := range []bool{o.Entry != "", o.Source != "", len(o.Command) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("expected exactly one of Options.Entry, Source and Command, got %d of them", given)
	}
	return errors.Join(
		checkRange("Workers", o.Workers, 0, 1024),
		checkRange("Concurrency", o.Concurrency, 0, 1<<16),
		checkRange("BootTimeout", o.BootTimeout, 0, century),
		checkRange("QueueTimeout", o.QueueTimeout, 0, century),
		checkRange("KillGrace", o.KillGrace, 0, century),
		checkRange("DrainTimeout", o.DrainTimeout, 0, century),
		checkMost("MinWorkers", o.MinWorkers, 1024),
		checkRange("MaxDraining", o.MaxDraining, 0, 1<<16),
		checkNotNegative("MaxCalls", o.MaxCalls),
		checkRange("MaxLifetime", o.MaxLifetime, 0, century),
		checkRange("MaxIdleTime", o.MaxIdleTime, 0, century),
		checkMaxHeap(o.MaxHeap),
		checkRange("MaxRSS", o.MaxRSS, 0, 1<<50),
		checkMost("BusyPoll", o.BusyPoll, time.Millisecond),
		checkNotNegative("MaxInFlight", o.MaxInFlight),
		o.checkMaxPayload(),
		o.checkInspect(),
		checkWord("Options.Codec", o.Codec, "", JSON, MsgPack),
		o.JSON.check(),
		checkConvention("Options.Convention", o.Convention),
		o.checkLambda(),
		checkEnv(o.Env),
	)
}

// century is the longest time an option may have: with it no sum of times is too large for a time.Duration.
const century = 100 * 365 * 24 * time.Hour

// smallestHeap is the heap, in bytes, below which Node crashes before any code runs.
const smallestHeap = 8 << 20

func checkMaxHeap(bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return checkRange("MaxHeap", bytes, smallestHeap, 1<<50)
}

func checkRange[T int | int64 | time.Duration](name string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("expected Options.%s between %v and %v, got %v", name, least, most, value)
	}
	return nil
}

func checkNotNegative(name string, value int) error {
	if value < 0 {
		return fmt.Errorf("expected Options.%s to be 0 or more, got %d", name, value)
	}
	return nil
}

// checkMost is for options that may be negative.
func checkMost[T int | time.Duration](name string, value, most T) error {
	if value > most {
		return fmt.Errorf("expected Options.%s to be at most %v, or negative for none, got %v", name, most, value)
	}
	return nil
}

func (o Options) checkMaxPayload() error {
	if o.MaxPayload == 0 {
		return nil
	}
	return checkRange("MaxPayload", o.MaxPayload, frame.MinMaxPayload, frame.MaxMaxPayload)
}

func checkConvention(name string, c Convention) error {
	return checkWord(name, c, "", ConventionValue, ConventionArgs, ConventionCallback, ConventionArgsCallback, Lambda)
}

func checkWord[T ~string](name string, value T, words ...T) error {
	for _, word := range words {
		if value == word {
			return nil
		}
	}
	return fmt.Errorf("expected %s to be one of %q, got %q", name, words[1:], value)
}

// checkEnv names the position of a bad variable, never its text: it may hold a secret.
func checkEnv(env []string) error {
	for i, variable := range env {
		if at := strings.IndexByte(variable, '='); at < 1 || strings.IndexByte(variable, 0) >= 0 {
			return fmt.Errorf("expected Options.Env[%d] to be KEY=value", i)
		}
	}
	return nil
}

// resolveEntry makes Entry absolute. Its symlinks are each generation's business.
func (o Options) resolveEntry() (Options, error) {
	if o.Entry == "" {
		return o, nil
	}
	entry, err := filepath.Abs(o.Entry)
	if err != nil {
		return o, fmt.Errorf("Options.Entry: %w", err)
	}
	if _, err = os.Stat(entry); err != nil {
		if o.isLambda() && errors.Is(err, fs.ErrNotExist) && isHandler(o.Entry) {
			return o.asHandler()
		}
		return o, fmt.Errorf("Options.Entry: expected a JavaScript file or a package folder: %w", err)
	}
	o.Entry = entry
	return o, nil
}

// folder is where workers run, before symlinks are resolved; empty for the program's own working directory.
func (o Options) folder() string {
	if o.Dir != "" || o.Entry == "" {
		return o.Dir
	}
	return packageDir(o.Entry)
}

// packageDir returns the nearest folder at or above entry that has a package.json, else entry's own folder.
func packageDir(entry string) string {
	own := entry
	if info, err := os.Stat(entry); err != nil || !info.IsDir() {
		own = filepath.Dir(entry)
	}
	for dir := own; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "package.json")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return own
		}
	}
}
