package rootbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
	"rootbridge/internal/pool"
	"rootbridge/internal/process"
	"rootbridge/internal/supervisor"
)

// boot starts a worker and returns when its module has loaded. It leaves no process when it fails.
func (h *Host) boot(ctx context.Context, g codeGeneration) (*worker, error) {
	command, err := h.command(ctx, g.Code)
	if err != nil {
		return nil, &Error{Code: CodeBootFailed, Message: err.Error(), err: err}
	}
	inspector := newInspectorWatch(h.logs.stderr)
	p, err := h.spawner.Start(command, inspector.line)
	if err != nil {
		return nil, h.spawnError(command.Dir, err)
	}
	b := &booting{host: h, process: p, generation: g.Number, code: g.Code}
	defer context.AfterFunc(ctx, p.Kill)()
	w, err := b.run()
	if err != nil {
		p.Stop(h.options.KillGrace)
		p.Discard()
		return nil, b.error(ctx, err)
	}
	if h.options.Inspect != "" {
		w.inspector = inspector.await(p)
		h.options.Logger.Info("a debugger can attach to the worker", "worker", w.pid(), "inspector", w.inspector)
	}
	return w, nil
}

// bootTimeout does not hurry a debugger.
func (h *Host) bootTimeout() time.Duration {
	if h.options.Inspect != "" {
		return endless
	}
	return h.options.BootTimeout
}

// command is what starts a worker.
func (h *Host) command(ctx context.Context, c *code) (process.Command, error) {
	command := process.Command{Env: h.environment(c), Dir: c.dir}
	if len(h.options.Command) > 0 {
		command.Path, command.Args = h.options.Command[0], h.options.Command[1:]
		return command, nil
	}
	args, code, err := process.WorkerArgs()
	if err != nil {
		return command, err
	}
	command.Path, command.Code = h.node, code
	command.Args = slices.Concat(h.memoryArgs(), h.inspectArgs(ctx), h.options.NodeArgs, args)
	if c.entry != "" {
		command.Args = append(command.Args, c.entry)
	}
	return command, nil
}

func (h *Host) environment(c *code) []string {
	env := h.options.inherited()
	if h.options.isLambda() {
		return h.options.lambdaEnvironment(env, c.dir)
	}
	return append(env, h.options.Env...)
}

// inherited is the part of the program's own environment that workers get.
func (o Options) inherited() []string {
	if o.ReplaceEnv {
		return []string{} // not nil, which would mean all of it
	}
	return slices.DeleteFunc(os.Environ(), isForThisProcess)
}

// isForThisProcess tells whether a variable names descriptors that a worker does not have: those which a parent in Node,
// or a parent of this protocol, gave to this program.
func isForThisProcess(variable string) bool {
	return strings.HasPrefix(variable, "NODE_CHANNEL_") || strings.HasPrefix(variable, "ROOTBRIDGE_FDS=")
}

func (h *Host) spawnError(dir string, err error) *Error {
	message := err.Error()
	if dir != "" {
		if _, statErr := os.Stat(dir); statErr != nil {
			message = fmt.Sprintf("Options.Dir: expected a folder to run in: %v", statErr)
		}
	}
	return &Error{Code: CodeBootFailed, Message: message, err: err}
}

// helloFrame is the frame that begins each session.
func helloFrame(o Options) ([]byte, error) {
	encodings := []string{"json", "raw"}
	if o.Codec == MsgPack {
		encodings = append(encodings, "msgpack")
	}
	payload, err := json.Marshal(frame.HelloMessage{
		Protocol: frame.Version, MaxPayload: o.MaxPayload, Encodings: encodings,
		Options: &frame.HelloOptions{Convention: string(o.Convention), Codec: string(o.Codec), Source: o.Source, Handler: o.handler, LambdaRuntime: o.Lambda.Runtime},
	})
	if err != nil {
		return nil, err
	}
	if len(payload) > frame.MaxHello {
		return nil, fmt.Errorf("expected Options.Source to have at most %d bytes with what surrounds it in JSON, got %d; use Options.Entry", frame.MaxHello, len(payload))
	}
	return frame.Append(nil, frame.Hello, frame.JSON, 0, nil, payload), nil
}

// booting is a worker process on its way to ready.
type booting struct {
	host       *Host
	process    *process.Process
	generation int
	code       *code
	hello      bool // the worker's hello has come
	timedOut   atomic.Bool
}

// timeOut ends a start that takes too long.
func (b *booting) timeOut() {
	b.timedOut.Store(true)
	b.process.Kill()
}

func (b *booting) run() (*worker, error) {
	h := b.host
	b.code.files() // while the worker starts: it loads nothing before its hello
	timeout := time.AfterFunc(h.bootTimeout(), b.timeOut)
	defer timeout.Stop()
	written := make(chan struct{})
	go func() { // a worker that prints before it reads must not stop us from reading
		defer close(written)
		_, _ = b.process.Stdin.Write(h.hello) // an error shows as the end of the worker's output
	}()
	reader := frame.NewReader(conn.NewSource(b.process.Stdout, h.options.BusyPoll), frame.MaxHello)
	if err := b.skipToHello(reader); err != nil {
		return nil, err
	}
	theirs, err := b.readHello(reader)
	if err != nil {
		return nil, err
	}
	reader.SetMaxPayload(h.options.MaxPayload)
	ready, err := b.readReady(reader)
	if err != nil {
		return nil, err
	}
	<-written
	w := &worker{
		host: h, process: b.process, reader: reader, methods: ready.Methods, generation: b.generation, since: time.Now(),
		bounds: newBounds(h.options), ended: make(chan struct{}),
	}
	w.conn = conn.New(b.process.Stdin, theirs.MaxPayload, w)
	w.slot = pool.NewSlot(w, h.options.Concurrency)
	return w, nil
}

// skipToHello logs what preloaded code printed before the worker's first frame.
func (b *booting) skipToHello(reader *frame.Reader) error {
	printed := process.NewTail(func(line []byte) { b.host.logs.printed(b.process.PID(), line) })
	defer printed.Flush()
	return reader.SkipToHello(func(text []byte) { _, _ = printed.Write(text) })
}

func (b *booting) readHello(reader *frame.Reader) (frame.HelloMessage, error) {
	f, err := reader.Next()
	if err != nil {
		return frame.HelloMessage{}, err
	}
	hello, err := frame.ParseHello(f.Payload)
	if err != nil {
		return hello, err
	}
	b.hello = true
	if hello.Runtime == "node" {
		if err := process.CheckNodeVersion(b.host.node, hello.RuntimeVersion); err != nil {
			return hello, err
		}
	}
	if b.host.options.Codec == MsgPack && !hello.Accepts("msgpack") {
		return hello, errors.New("the worker does not speak msgpack; use Options.Codec JSON")
	}
	return hello, nil
}

func (b *booting) readReady(reader *frame.Reader) (frame.ReadyMessage, error) {
	var ready frame.ReadyMessage
	for {
		f, err := reader.Next()
		if err != nil {
			return ready, err
		}
		switch f.Kind {
		case frame.Ready:
			return frame.ParseReady(f.Payload)
		case frame.Hello:
			return ready, errors.New("a second hello came in place of ready")
		case frame.Error:
			if f.ID == 0 {
				return ready, parseError(f.Payload)
			}
		case frame.Log:
			meta, _ := frame.ParseLog(f.Meta) // a log line without its attributes is better than none
			b.host.logs.frame(b.process.PID(), meta, f.Encoding, f.Payload)
			keepWords(b.process.Stderr, meta, f.Payload)
		default:
		}
	}
}

// error says why a worker did not become ready. It is called after its process has ended.
func (b *booting) error(ctx context.Context, err error) error {
	h := b.host
	if reloadSignal != nil && b.process.EndedBy(reloadSignal) {
		return fmt.Errorf("%s: %w", b.what(), supervisor.ErrSignaled)
	}
	e := &Error{Code: CodeBootFailed, WorkerPID: b.process.PID(), Stderr: b.process.Stderr.String(), err: err}
	var told *Error
	switch {
	case errors.As(err, &told):
		*e = *told
		e.Code, e.WorkerPID, e.Stderr = CodeBootFailed, b.process.PID(), b.process.Stderr.String()
	case ctx.Err() != nil:
		return &Error{Code: CodeClosed, Message: "the host was closed while a worker was starting"}
	case b.timedOut.Load():
		e.Message = fmt.Sprintf("%s was not ready within %v (Options.BootTimeout) and was killed", b.what(), h.options.BootTimeout)
		if b.hello {
			e.Message += "; its module did not finish loading: look for a top-level await or a loop that does not end"
		}
	case isEnd(err):
		e.Message = fmt.Sprintf("%s ended before it was ready (%s)", b.what(), b.process.Exit())
		b.diagnose(e)
	default:
		e.Message = fmt.Sprintf("%s did not start as the protocol describes: %v", b.what(), err)
	}
	return e
}

// isEnd tells whether reading ended because the process did.
func isEnd(err error) bool {
	var broken *frame.BrokenError
	return errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.As(err, &broken) && broken.Truncated
}

// diagnose looks for a reason beyond the worker's own words.
func (b *booting) diagnose(e *Error) {
	if b.host.node != "" && !b.hello {
		if err := process.DiagnoseNode(b.host.node); err != nil {
			e.Message, e.err = err.Error(), err
			return
		}
	}
	if last := lastWords(e.Stderr); last != "" {
		e.Message += "; its last words: " + last
	}
}

// what names the program that was started.
func (b *booting) what() string {
	switch o := b.host.options; {
	case len(o.Command) > 0:
		return filepath.Base(o.Command[0])
	case o.handler != "":
		return "the worker of " + o.handler
	case b.code.entry != "":
		return "the worker of " + b.code.entry
	default:
		return "the worker of Options.Source"
	}
}

// errorLine is how runtimes begin what they say of an error.
var errorLine = regexp.MustCompile(`(?m)^.*\b\w*(Error|Exception)\b.*$`)

// lastWords returns the last line that names an error, else the last three that say anything.
func lastWords(text string) string {
	if lines := errorLine.FindAllString(text, -1); len(lines) > 0 {
		return strings.TrimSpace(lines[len(lines)-1])
	}
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}
