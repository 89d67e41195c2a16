package rootbridge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rootbridge/internal/frame"
	"rootbridge/internal/vector"
)

// sessionTime is what no session needs; where it passes, something hangs.
const sessionTime = 60 * time.Second

// workerCase is one case of protocol/vectors/sessions/worker and lines: a script that plays a host, or a shell, against a
// real worker.
type workerCase struct {
	ID      string                       `json:"id"`
	Comment string                       `json:"comment"`
	Source  sourceText                   `json:"source"`
	Steps   []map[string]json.RawMessage `json:"steps"`
}

// sourceText is a text, or a list of its lines.
type sourceText string

func (s *sourceText) UnmarshalJSON(text []byte) error {
	var lines []string
	if text[0] != '[' {
		lines = make([]string, 1)
		err := json.Unmarshal(text, &lines[0])
		*s = sourceText(lines[0])
		return err
	}
	err := json.Unmarshal(text, &lines)
	*s = sourceText(strings.Join(lines, "\n"))
	return err
}

func TestWorkerSessionsGoAsScripted(t *testing.T) {
	t.Parallel()
	runSessions(t, "sessions/worker/*.json", func(t *testing.T, c *workerCase) {
		t.Helper()
		if err := playWorker(t, c); err != nil {
			t.Error(err)
		}
	})
}

func TestLineSessionsGoAsScripted(t *testing.T) {
	t.Parallel()
	runSessions(t, "sessions/lines/*.json", func(t *testing.T, c *workerCase) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "module.mjs")
		if err := os.WriteFile(file, []byte(c.Source), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := playWorker(t, c, file); err != nil {
			t.Error(err)
		}
	})
}

// TestAWorkerSessionThatGoesOtherwiseFails keeps the runner honest.
func TestAWorkerSessionThatGoesOtherwiseFails(t *testing.T) {
	t.Parallel()
	runSessions(t, "wrong/worker.json", func(t *testing.T, c *workerCase) {
		t.Helper()
		if playWorker(t, c) == nil {
			t.Error("the runner saw nothing wrong")
		}
	})
}

func runSessions(t *testing.T, pattern string, run func(t *testing.T, c *workerCase)) {
	t.Helper()
	dir, err := vector.Dir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions %s: %v", pattern, err)
	}
	for _, file := range files {
		cases, err := vector.Read[*workerCase](strings.TrimPrefix(filepath.ToSlash(file), filepath.ToSlash(dir)+"/"))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(filepath.Base(file)+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				run(t, c)
			})
		}
	}
}

// playWorker returns the first thing that went otherwise than the script says.
func playWorker(t *testing.T, c *workerCase, args ...string) error {
	t.Helper()
	peer, err := startPeer(c, args)
	if err != nil {
		return err
	}
	defer peer.end()
	steps := c.Steps
	last := steps[len(steps)-1]
	if last["expect_exit"] == nil && last["expect_stderr"] == nil {
		ending := map[string]json.RawMessage{"expect_exit": json.RawMessage("0")}
		steps = append(slices.Clone(steps), map[string]json.RawMessage{"close_stdin": json.RawMessage("true")}, ending)
	}
	for i, step := range steps {
		if err := peer.step(step); err != nil {
			peer.end()
			return fmt.Errorf("step %d: %w\nstderr:\n%s", i+1, err, peer.stderr.String())
		}
	}
	return nil
}

// workerPeer is a worker process as a script sees it.
type workerPeer struct {
	cmd    *exec.Cmd
	source string
	stdin  *os.File
	inbox  *inbox
	stderr bytes.Buffer // to be read after the process has ended
	timer  *time.Timer
	exited chan struct{} // closed when the process has been waited for
}

func startPeer(c *workerCase, args []string) (*workerPeer, error) {
	stdinR, stdinW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdoutR, stdoutW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdinR.Close(), stdinW.Close())
	}
	node := cmp.Or(os.Getenv("ROOTBRIDGE_TEST_NODE"), "node")
	p := &workerPeer{
		cmd:    exec.Command(node, append([]string{filepath.Join("internal", "process", "worker.cjs")}, args...)...),
		source: string(c.Source), stdin: stdinW, inbox: newInbox(), exited: make(chan struct{}),
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdinR, stdoutW, &p.stderr
	p.cmd.WaitDelay = sessionTime
	err = errors.Join(p.cmd.Start(), stdinR.Close(), stdoutW.Close())
	if err != nil {
		return nil, errors.Join(err, stdinW.Close(), stdoutR.Close())
	}
	go p.inbox.readAll(stdoutR)
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the state says the same
	}()
	p.timer = time.AfterFunc(sessionTime, p.kill)
	return p, nil
}

func (p *workerPeer) kill() { _ = p.cmd.Process.Kill() }

// end leaves no process. It may be called again.
func (p *workerPeer) end() {
	p.timer.Stop()
	p.kill()
	_ = p.stdin.Close()
	<-p.exited
	<-p.inbox.done
}

func (p *workerPeer) step(step map[string]json.RawMessage) error {
	if len(step) != 1 {
		return fmt.Errorf("expected a step with one key, got %d", len(step))
	}
	plays := map[string]func(json.RawMessage) error{
		"open": p.open, "send": p.send, "send_hex": p.sendHex, "send_text": p.sendText, "expect": p.expect,
		"expect_unordered": p.expectUnordered, "expect_line": p.expectLine, "signal": p.signal,
		"close_stdin": func(json.RawMessage) error { return p.stdin.Close() },
		"expect_exit": p.expectExit, "expect_stderr": p.expectStderr,
	}
	for name, value := range step {
		if play, ok := plays[name]; ok {
			return play(value)
		}
		return fmt.Errorf("no step %s", name)
	}
	return nil
}

// open sends a hello and expects those of the worker, up to ready.
func (p *workerPeer) open(step json.RawMessage) error {
	hello := struct {
		MaxPayload int      `json:"max_payload"`
		Encodings  []string `json:"encodings"`
		Convention string   `json:"convention"`
		Codec      string   `json:"codec"`
	}{MaxPayload: 32 << 20, Encodings: []string{"json", "msgpack", "raw"}}
	if err := vector.Unmarshal(step, &hello); err != nil {
		return err
	}
	payload, err := json.Marshal(frame.HelloMessage{
		Protocol: 1, MaxPayload: hello.MaxPayload, Encodings: hello.Encodings,
		Options: &frame.HelloOptions{Convention: hello.Convention, Codec: hello.Codec, Source: p.source},
	})
	if err != nil {
		return err
	}
	p.write(frame.Append(nil, frame.Hello, frame.JSON, 0, nil, payload))
	return errors.Join(p.expect(json.RawMessage(`{"kind":"hello"}`)), p.expect(json.RawMessage(`{"kind":"ready"}`)))
}

// write ignores that the worker may have ended before it has read everything: what it does then is what counts.
func (p *workerPeer) write(b []byte) { _, _ = p.stdin.Write(b) }

func (p *workerPeer) send(step json.RawMessage) error {
	frames := []json.RawMessage{step}
	if step[0] == '[' {
		if err := json.Unmarshal(step, &frames); err != nil {
			return err
		}
	}
	var b []byte
	for _, text := range frames {
		var err error
		if b, err = appendScripted(b, text); err != nil {
			return err
		}
	}
	p.write(b)
	return nil
}

func (p *workerPeer) sendHex(step json.RawMessage) error {
	var text string
	if err := json.Unmarshal(step, &text); err != nil {
		return err
	}
	b, err := vector.Bytes(text)
	p.write(b)
	return err
}

func (p *workerPeer) sendText(step json.RawMessage) error {
	var text string
	err := json.Unmarshal(step, &text)
	p.write([]byte(text))
	return err
}

func (p *workerPeer) expect(step json.RawMessage) error {
	return p.inbox.expect([]json.RawMessage{step})
}

func (p *workerPeer) expectUnordered(step json.RawMessage) error {
	var patterns []json.RawMessage
	if err := json.Unmarshal(step, &patterns); err != nil {
		return err
	}
	return p.inbox.expect(patterns)
}

func (p *workerPeer) expectLine(step json.RawMessage) error {
	var want struct{ Value, Part any }
	if err := vector.Unmarshal(step, &want); err != nil {
		return err
	}
	line, ok := p.inbox.nextLine()
	if !ok {
		return errors.New("the lines have ended")
	}
	var got any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		return fmt.Errorf("%w in the line %.100s", err, line)
	}
	if want.Value != nil {
		return asDifference(vector.Differs(want.Value, got, "line", vector.Exactly))
	}
	return asDifference(vector.Differs(want.Part, got, "line", vector.Partly))
}

func (p *workerPeer) signal(step json.RawMessage) error {
	var name string
	if err := json.Unmarshal(step, &name); err != nil {
		return err
	}
	signal, ok := signals[name]
	if !ok {
		return fmt.Errorf("no signal %s", name)
	}
	return p.cmd.Process.Signal(signal)
}

// expectExit expects that nothing more comes: a frame that was not expected is as wrong as one that is missing.
func (p *workerPeer) expectExit(step json.RawMessage) error {
	<-p.exited
	if f, ok := p.inbox.next(); ok {
		return fmt.Errorf("expected no more frames, got %s", describeFrame(f))
	}
	if line, ok := p.inbox.nextLine(); ok {
		return fmt.Errorf("expected no more lines, got %.400s", line)
	}
	var want any
	if err := json.Unmarshal(step, &want); err != nil {
		return err
	}
	if name, ok := want.(string); ok {
		status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != signals[name] {
			return fmt.Errorf("expected an exit by %s, got %s", name, p.cmd.ProcessState)
		}
		return nil
	}
	if code := p.cmd.ProcessState.ExitCode(); float64(code) != want {
		return fmt.Errorf("expected the exit code %v, got %s", want, p.cmd.ProcessState)
	}
	return p.inbox.broken()
}

func (p *workerPeer) expectStderr(step json.RawMessage) error {
	var parts []string
	if err := json.Unmarshal(step, &parts); err != nil {
		return err
	}
	for _, part := range parts {
		if !strings.Contains(p.stderr.String(), part) {
			return fmt.Errorf("stderr lacks %q", part)
		}
	}
	return nil
}

func asDifference(difference string) error {
	if difference == "" {
		return nil
	}
	return errors.New(difference)
}
