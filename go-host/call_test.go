package rootbridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rootbridge"
)

type order struct {
	Email string   `json:"email"`
	Items []string `json:"items"`
	Note  *string  `json:"note,omitempty"`
}

type verdict struct {
	Valid  bool     `json:"valid"`
	Errors []string `json:"errors"`
	Echo   order    `json:"echo"`
}

const shop = `
export function validate(order) {
	return { valid: order.email.includes('@'), errors: order.items.map((i) => 'no ' + i), echo: order };
}
export const add = (a, b) => a + b;
export const count = (...args) => args.length;
export const kind = (v) => v === null ? 'null' : v instanceof Uint8Array ? 'bytes' : typeof v;
export const echo = (v) => v;
export const later = async (v) => { await new Promise((r) => setTimeout(r, 1)); return v; };
export function readAll(path, options, done) { setImmediate(done, null, [path, options]); }
export function failing(value, done) { setImmediate(done, new RangeError('no ' + value)); }
export const bytes = (n) => Buffer.alloc(n, 7);
export const text = (n) => 'x'.repeat(n);
export const nothing = () => undefined;
export const nul = () => null;
export const nested = { math: { double: (x) => 2 * x } };
class Cart { #items = []; add(i) { this.#items.push(i); return this.#items.length; } }
export const cart = new Cart();
export default function main() { return 'main'; }
`

func TestAJavaScriptFunctionIsCalledWithTypedValues(t *testing.T) {
	t.Parallel()
	host := start(t, shop)
	validate := rootbridge.Func[order, verdict](host, "validate")
	in := order{Email: "a@b.c", Items: []string{"tea", "grün ☕ \u2028 </b>"}}
	got, err := validate(t.Context(), in)
	want := verdict{Valid: true, Errors: []string{"no tea", "no grün ☕ \u2028 </b>"}, Echo: in}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestArgumentsArriveInTheShapeTheyWereSent(t *testing.T) {
	t.Parallel()
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, shop, with(func(o *rootbridge.Options) { o.Codec = codec }))
		if got := call[int](t, host, "add", rootbridge.Args{1, 2}); got != 3 {
			t.Errorf("%s: add(1, 2) is %d", codec, got)
		}
		if got := call[int](t, host, "add", []int{3, 4}, rootbridge.WithConvention(rootbridge.ConventionArgs)); got != 7 {
			t.Errorf("%s: add(3, 4) is %d", codec, got)
		}
		for want, in := range map[string]any{
			"undefined": nil, "null": (*int)(nil), "bytes": []byte("ab"), "object": json.RawMessage(`{"a":1}`),
			"string": "x", "number": 1 << 40, "boolean": false,
		} {
			if got := call[string](t, host, "kind", in); got != want {
				t.Errorf("%s: %T arrived as %s, expected %s", codec, in, got, want)
			}
		}
		for want, in := range []any{nil, 1, rootbridge.Args{1, 2}} {
			if got := call[int](t, host, "count", in); got != want {
				t.Errorf("%s: %v came as %d arguments", codec, in, got)
			}
		}
		if got := call[int](t, host, "count", rootbridge.Args(nil)); got != 0 {
			t.Errorf("%s: no arguments came as %d", codec, got)
		}
	}
}

func TestResultsFillWhateverTheyAreDecodedInto(t *testing.T) {
	t.Parallel()
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, shop, with(func(o *rootbridge.Options) { o.Codec = codec }))
		if got := call[json.RawMessage](t, host, "echo", json.RawMessage(`{"b":1,  "a":[]}`)); string(got) != `{"b":1,"a":[]}` {
			t.Errorf("%s: JSON came back as %s", codec, got)
		}
		if got := call[json.RawMessage](t, host, "echo", map[string]int{"a": 1}); string(got) != `{"a":1}` {
			t.Errorf("%s: a map came back as %s", codec, got)
		}
		if got := call[[]byte](t, host, "bytes", 300_000); !bytes.Equal(got, bytes.Repeat([]byte{7}, 300_000)) {
			t.Errorf("%s: %d bytes came back", codec, len(got))
		}
		if got := call[[]byte](t, host, "echo", []byte{0, 255, 10}); !bytes.Equal(got, []byte{0, 255, 10}) {
			t.Errorf("%s: bytes came back as %v", codec, got)
		}
		if got := call[any](t, host, "bytes", 2); !reflect.DeepEqual(got, []byte{7, 7}) {
			t.Errorf("%s: bytes came back as %v", codec, got)
		}
		for _, method := range []string{"nothing", "nul"} {
			out := order{Email: "from before"}
			if err := host.Call(t.Context(), method, nil, &out); err != nil || !reflect.DeepEqual(out, order{}) {
				t.Errorf("%s: %s left %+v, %v", codec, method, out, err)
			}
		}
		if err := host.Call(t.Context(), "echo", 1, nil); err != nil {
			t.Errorf("%s: without an out: %v", codec, err)
		}
	}
}

func TestBytesAreTheirCallersForGood(t *testing.T) {
	t.Parallel()
	host := start(t, `export const fill = ([size, byte]) => Buffer.alloc(size, byte);`)
	sizes := []int{1, 100, 2_000, 4_095, 4_096, 4_097, 65_536, 65_537, 600_000, 1 << 20, 1<<20 + 1}
	var kept [][]byte
	for i := range 5 * len(sizes) {
		kept = append(kept, call[[]byte](t, host, "fill", []int{sizes[i%len(sizes)], i}))
		_ = append(kept[i], 0xff)
	}
	for i, got := range kept {
		if want := bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)]); !bytes.Equal(got, want) {
			t.Errorf("result %d of %d bytes has become another", i, len(want))
		}
	}
}

// A large argument is lent to the writer, which may be in the middle of it when the caller leaves.
func TestAnArgumentIsItsCallersAgainWhenTheCallHasEndedHowever(t *testing.T) {
	t.Parallel()
	host := start(t, `
		let mixed = 0;
		export const look = (bytes) => {
			if (!bytes.equals(Buffer.alloc(bytes.length, bytes[0]))) mixed += 1;
			return bytes.length;
		};
		export const count = () => mixed;`, with(func(o *rootbridge.Options) { o.Concurrency = 16 }))
	var callers sync.WaitGroup
	var left, answered atomic.Int32
	for caller := range 16 {
		callers.Go(func() {
			argument := make([]byte, 700_000)
			for round := range 12 {
				for i := range argument {
					argument[i] = byte(caller*16 + round)
				}
				ctx, cancel := context.WithCancel(t.Context())
				stop := time.AfterFunc(time.Duration((caller*7+round*5)%40)*time.Millisecond, cancel)
				if err := host.Call(ctx, "look", argument, nil); err == nil {
					answered.Add(1)
				} else {
					left.Add(1)
				}
				stop.Stop()
				cancel()
			}
		})
	}
	callers.Wait()
	if got := call[int](t, host, "count", nil); got != 0 {
		t.Errorf("%d arguments had something of others in them", got)
	}
	t.Logf("%d calls were left, %d answered", left.Load(), answered.Load())
}

func TestABufferHasBytesAppendedAndItsMemoryUsedAgain(t *testing.T) {
	t.Parallel()
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, `export const fill = ([size, byte]) => Buffer.alloc(size, byte); export const echo = (v) => v;
			export const fail = () => { throw new Error('no'); }; export const nothing = () => {};`, with(func(o *rootbridge.Options) { o.Codec = codec }))
		out := bytes.NewBuffer(make([]byte, 0, 200_000))
		memory := &out.AvailableBuffer()[:1][0]
		for i, size := range []int{100_000, 0, 1, 4_096, 4_097, 65_536, 65_537, 100_000} {
			out.Reset()
			out.WriteString("before")
			if err := host.Call(t.Context(), "fill", []int{size, i}, out); err != nil {
				t.Fatal(err)
			}
			if want := "before" + strings.Repeat(string(rune(i)), size); out.String() != want {
				t.Errorf("%s: %d bytes came as %d others", codec, len(want), out.Len())
			}
		}
		if memory != &out.Bytes()[0] {
			t.Errorf("%s: the last bytes are in other memory than those before", codec)
		}
		out.Reset()
		for _, method := range []string{"echo", "fail", "nothing"} {
			_ = host.Call(t.Context(), method, json.RawMessage(`{"a": 1}`), out)
		}
		if want := `{"a":1}`; codec == rootbridge.JSON && out.String() != want {
			t.Errorf("a value, an error and nothing came as %q", out.String())
		}
	}
}

func TestNestedNamesInstancesAndTheDefaultAreMethods(t *testing.T) {
	t.Parallel()
	host := start(t, shop)
	if got := call[int](t, host, "nested.math.double", 21); got != 42 {
		t.Errorf("double is %d", got)
	}
	if got := call[int](t, host, "cart.add", "tea") + call[int](t, host, "cart.add", "cup"); got != 3 {
		t.Errorf("the cart's counts add up to %d", got)
	}
	if got := call[string](t, host, "default", nil); got != "main" {
		t.Errorf("default is %q", got)
	}
	methods := host.Methods()
	for _, want := range []string{"validate", "nested.math.double", "cart.add", "default"} {
		if !slices.Contains(methods, want) {
			t.Errorf("%s is not among %v", want, methods)
		}
	}
	if !slices.IsSorted(methods) {
		t.Errorf("not sorted: %v", methods)
	}
}

func TestCallbackStyleFunctionsReturnAndFailThroughTheirCallback(t *testing.T) {
	t.Parallel()
	host := start(t, shop, with(func(o *rootbridge.Options) { o.Convention = rootbridge.ConventionCallback }))
	got := call[[]string](t, host, "readAll", rootbridge.Args{"a.txt", "utf8"})
	if !slices.Equal(got, []string{"a.txt", "utf8"}) {
		t.Errorf("got %v", got)
	}
	err := host.Call(t.Context(), "failing", "tea", nil)
	expectCode(t, err, rootbridge.CodeException, "RangeError", "no tea")
}

func TestManyCallersGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	host := start(t, shop, with(func(o *rootbridge.Options) { o.Workers = 2; o.QueueLimit = 100 }))
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			for j := range 20 {
				want := fmt.Sprintf("%d/%d", i, j)
				method := []string{"echo", "later"}[j%2]
				if got := call[string](t, host, method, want); got != want {
					t.Errorf("%s got %s", want, got)
				}
			}
		})
	}
	callers.Wait()
	stats := host.Stats()
	if stats.Succeeded != 2000 || stats.InFlight != 0 || stats.Queued != 0 || len(stats.Failed) != 0 {
		t.Errorf("stats afterwards: %+v", stats)
	}
}

func TestPayloadsAtTheLimitPassAndOneByteMoreIsTooLarge(t *testing.T) {
	t.Parallel()
	const limit = 200_000
	host := start(t, shop, with(func(o *rootbridge.Options) { o.MaxPayload = limit }))
	quoted := func(n int) string { return strings.Repeat("x", n-2) }
	if got := call[string](t, host, "echo", quoted(limit)); got != quoted(limit) {
		t.Errorf("at the limit: %d bytes came back", len(got))
	}
	err := host.Call(t.Context(), "echo", quoted(limit+1), nil)
	expectCode(t, err, rootbridge.CodeTooLarge, "argument", "200001", "200000", "Options.MaxPayload")
	if got := call[string](t, host, "text", limit-2); len(got) != limit-2 {
		t.Errorf("a result at the limit: %d bytes", len(got))
	}
	err = host.Call(t.Context(), "text", limit-1, nil)
	expectCode(t, err, rootbridge.CodeTooLarge, "result")
	if got := call[[]byte](t, host, "bytes", limit); len(got) != limit {
		t.Errorf("bytes at the limit: %d", len(got))
	}
	expectCode(t, host.Call(t.Context(), "bytes", limit+1, nil), rootbridge.CodeTooLarge)
}

func TestDeepValuesPassAndTooDeepOnesAreRefusedOnEitherSide(t *testing.T) {
	t.Parallel()
	deep := func(n int) json.RawMessage {
		return json.RawMessage(strings.Repeat(`[`, n) + strings.Repeat(`]`, n))
	}
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, shop+`
			export const deep = (n) => { let v = []; for (let i = 1; i < n; i++) v = [v]; return v; };
			export const deepText = (n) => JSON.parse('{"a":'.repeat(n) + '1' + '}'.repeat(n));`,
			with(func(o *rootbridge.Options) { o.Codec = codec }))
		if got := call[json.RawMessage](t, host, "echo", deep(1000)); !bytes.Equal(got, deep(1000)) {
			t.Errorf("%s: 1,000 levels came back as %d bytes", codec, len(got))
		}
		call[any](t, host, "deep", 1000)
		call[any](t, host, "deepText", 1000)
		expectCode(t, host.Call(t.Context(), "echo", deep(10_000), nil), rootbridge.CodeInvalidArgument, "deep")
		for _, method := range []string{"deep", "deepText"} {
			var out any
			expectCode(t, host.Call(t.Context(), method, 10_000, &out), rootbridge.CodeUnencodableResult, "deep")
		}
		if got := call[string](t, host, "echo", "still there"); got != "still there" {
			t.Errorf("%s: afterwards: %q", codec, got)
		}
	}
}

func TestValuesThatGoCannotEncodeOrDecodeAreClearErrors(t *testing.T) {
	t.Parallel()
	host := start(t, shop)
	expectCode(t, host.Call(t.Context(), "echo", make(chan int), nil), rootbridge.CodeInvalidArgument, "chan int")
	expectCode(t, host.Call(t.Context(), "echo", json.RawMessage(`{"a":`), nil), rootbridge.CodeInvalidArgument)
	expectCode(t, host.Call(t.Context(), "add", 1, nil, rootbridge.WithConvention(rootbridge.ConventionArgs)),
		rootbridge.CodeInvalidArgument, "list")
	expectCode(t, host.Call(t.Context(), "add", 1, nil, rootbridge.WithConvention("swapped")), rootbridge.CodeInvalidArgument, "swapped")
	var number int
	expectCode(t, host.Call(t.Context(), "echo", "text", &number), rootbridge.CodeUnencodableResult, "*int")
	expectCode(t, host.Call(t.Context(), "bytes", 3, &number), rootbridge.CodeUnencodableResult, "[]byte")
	expectCode(t, host.Call(t.Context(), "echo", 1, number), rootbridge.CodeInvalidArgument, "int")
	expectCode(t, host.Call(t.Context(), strings.Repeat("m", 20_000), nil, nil), rootbridge.CodeInvalidArgument, "16256")
	if err := host.Call(t.Context(), "echo", 1, nil, rootbridge.WithTraceID(strings.Repeat("t", 10_000))); err != nil {
		t.Errorf("a long trace id: %v", err)
	}
	for name, out := range map[string]any{
		"bytes": (*[]byte)(nil), "message": (*json.RawMessage)(nil), "any": (*any)(nil), "int": (*int)(nil), "value": 7,
	} {
		if err := host.Call(t.Context(), "echo", 1, out); rootbridge.CodeOf(err) != rootbridge.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := host.Call(t.Context(), "echo", 1, nil, nil, rootbridge.WithReply(nil)); err != nil {
		t.Errorf("options that are nil: %v", err)
	}
}

func TestOnlyOwnExportsCanBeCalled(t *testing.T) {
	t.Parallel()
	host := start(t, shop)
	for _, method := range []string{
		"constructor", "__proto__", "__proto__.toString", "toString", "", ".", "a..b", "nested.", "cart.constructor",
		"validate.call", "validate.constructor", "nested.math.hasOwnProperty", "missing", "nested.missing", "cart.missing",
		"\x00", "ä\u2028", "validate\n",
	} {
		err := host.Call(t.Context(), method, nil, nil)
		expectCode(t, err, rootbridge.CodeMethodNotFound)
	}
}

func TestTraceIDsReachTheFunctionAndItsLogLines(t *testing.T) {
	t.Parallel()
	var logged records
	host := start(t, `
		import { currentCall } from 'rootbridge';
		export const trace = async () => {
			await null;
			console.warn('checking %d items', 3);
			const call = currentCall();
			return [call.traceId, call.method, typeof call.deadline, call.signal.aborted];
		};
		export const outside = currentCall();`, logged.logTo)
	got := call[[]any](t, host, "trace", nil, rootbridge.WithTraceID("t-1"))
	if got[0] != "t-1" || got[1] != "trace" || got[3] != false {
		t.Errorf("the function saw %v", got)
	}
	ctx := rootbridge.ContextWithTraceID(t.Context(), "t-2")
	if err := host.Call(ctx, "trace", nil, nil); err != nil {
		t.Error(err)
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{`"msg":"checking 3 items"`, `"level":"WARN"`, `"trace_id":"t-1"`, `"trace_id":"t-2"`, `"method":"trace"`} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("%s was not logged in:\n%s", want, logged.String())
		}
	}
}

func TestTheFunctionSeesTheDeadlineAndTheCancellation(t *testing.T) {
	t.Parallel()
	host := start(t, `
		import { currentCall } from 'rootbridge';
		let last = 'nothing';
		export const wait = () => new Promise((resolve) => {
			const { signal } = currentCall();
			signal.addEventListener('abort', () => { last = signal.reason.name; resolve(); });
		});
		export const lastReason = () => last;
		export const left = () => currentCall().timeLeft();`)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	err := host.Call(ctx, "wait", nil, nil)
	expectCode(t, err, rootbridge.CodeCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	eventually(t, "the function saw the cancellation", func() bool { return call[string](t, host, "lastReason", nil) == "AbortError" })
	err = overdue(t, host, "wait", nil, 20*time.Millisecond)
	expectCode(t, err, rootbridge.CodeDeadlineExceeded, "20ms", "Options.CallTimeout")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not context.DeadlineExceeded", err)
	}
	eventually(t, "the function saw the deadline", func() bool { return call[string](t, host, "lastReason", nil) == "TimeoutError" })
	eventually(t, "both answers were dropped", func() bool { return host.Stats().LateReplies == 2 })
	if left := call[float64](t, host, "left", nil, rootbridge.WithTimeout(long)); left <= 0 || left > 60_000 {
		t.Errorf("%v ms left of a minute", left)
	}
}

func TestAnOutThatIsUsedAgainHoldsOnlyTheNewResult(t *testing.T) {
	t.Parallel()
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, shop, with(func(o *rootbridge.Options) { o.Codec = codec }))
		var out any
		for _, value := range []any{1.5, "text", true, nil, []any{"x"}, "end"} {
			if err := host.Call(t.Context(), "echo", &value, &out); err != nil || !reflect.DeepEqual(out, value) {
				t.Errorf("%s: got %v, %v, expected %v", codec, out, err, value)
			}
		}
	}
}

func TestAValueThatLeadsOnlyToItselfIsAnError(t *testing.T) {
	t.Parallel()
	var loop any
	loop = &loop
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, shop, with(func(o *rootbridge.Options) { o.Codec = codec }))
		for _, in := range []any{loop, map[string]any{"a": loop}, []any{loop}, struct{ A any }{loop}} {
			expectCode(t, host.Call(t.Context(), "echo", in, nil), rootbridge.CodeInvalidArgument)
		}
	}
}

func TestANullLeavesAnyTypeZeroWithEitherCodec(t *testing.T) {
	t.Parallel()
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, shop, with(func(o *rootbridge.Options) { o.Codec = codec }))
		at := time.Now()
		if err := host.Call(t.Context(), "nul", nil, &at); err != nil || !at.IsZero() {
			t.Errorf("%s: got %v, %v", codec, at, err)
		}
	}
}
