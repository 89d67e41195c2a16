import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  Code,
  decodeError,
  describeError,
  type ErrorObject,
  encodeError,
} from "../../protocol/error.ts";
import { MAX_ERROR, MAX_META } from "../../protocol/frame.ts";
import {
  type CallMeta,
  CONVENTIONS,
  decodeCall,
  decodeCancel,
  decodeGoaway,
  decodeHello,
  decodeLog,
  decodeReady,
  decodeStats,
  encodeCall,
  encodeCancel,
  encodeGoaway,
  encodeHello,
  encodeLog,
  encodeReady,
  encodeStats,
  type GoawayMeta,
  type Hello,
  type LogMeta,
  MessageError,
  type Stats,
} from "../../protocol/message.ts";

const DECODERS = {
  decodeHello,
  decodeReady,
  decodeCall,
  decodeCancel,
  decodeLog,
  decodeGoaway,
  decodeStats,
  decodeError,
};

for (const [name, decode] of Object.entries(DECODERS)) {
  test(`${name} takes any bytes and any JSON: what it doesn't read is a MessageError`, () => {
    const json = fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), json, wrongTypes()), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof MessageError, (error as Error)?.stack);
          assert.match(error.message, /expected/);
        }
      }),
      { numRuns: 500 },
    );
  });
}

/** Objects with the keys of all messages, and values of any type. */
function wrongTypes(): fc.Arbitrary<Uint8Array> {
  const keys = [
    "protocol",
    "max_payload",
    "encodings",
    "options",
    "pid",
    "methods",
    "method",
    "timeout",
    "trace_id",
    "accept",
    "convention",
    "lambda",
    "request_id",
    "reason",
    "level",
    "source",
    "last_id",
    "serving",
    "elu",
    "heap_used",
    "rss",
    "code",
    "message",
    "cause",
    "errors",
    "fields",
  ];
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom(...keys, "json", "raw", 1, 5_000),
  );
  return fc
    .dictionary(fc.constantFrom(...keys), value)
    .map((object) => Buffer.from(JSON.stringify(object)));
}

const text = fc.string({ unit: "binary", maxLength: 20 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Without the keys that are undefined: exactly optional. */
function tidied<T extends object>(value: object): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

test("calls, logs, goaways, stats, cancels, readies and hellos come back as they were sent", () => {
  const call = fc.record({
    method: text,
    timeout: optional(fc.double({ min: 1e-9, max: 1e12, noNaN: true })),
    traceId: optional(text),
    traceparent: optional(text),
    convention: optional(fc.constantFrom(...CONVENTIONS)),
    accept: optional(fc.constantFrom("json", "msgpack")),
    lambda: optional(invocation()),
  });
  const log = fc.record({
    level: fc.constantFrom("debug", "info", "warn", "error"),
    source: fc.constantFrom("console", "stdout", "stderr", "log"),
    method: optional(text),
    traceId: optional(text),
  });
  const goaway = fc.record({
    reason: text,
    lastId: optional(fc.integer({ min: 1, max: 2 ** 31 - 1 })),
    serving: optional(fc.boolean()),
  });
  const size = fc.maxSafeNat();
  const stats = fc.record({
    elu: optional(fc.double({ min: 0, max: 1, noNaN: true })),
    heapUsed: optional(size),
    heapLimit: optional(size),
    rss: optional(size),
    external: optional(size),
  });
  const hello = fc.record({
    protocol: fc.integer({ min: 1, max: 1_000 }),
    maxPayload: fc.integer({ min: 1_024, max: 2 ** 30 }),
    encodings: fc.constantFrom(["json", "raw"], ["json", "msgpack", "raw"]),
    runtime: optional(text),
    runtimeVersion: optional(text),
    pid: optional(fc.integer({ min: 1 })),
  });
  fc.assert(
    fc.property(call, log, goaway, stats, hello, fc.array(text), (...sent) => {
      const [oneCall, oneLog, oneGoaway, oneStats, oneHello] = sent.map((one) => tidied(one));
      assert.deepEqual(plain(decodeCall(encodeCall(oneCall as CallMeta))), oneCall);
      assert.deepEqual(decodeLog(encodeLog(oneLog as LogMeta)), oneLog);
      assert.deepEqual(decodeGoaway(encodeGoaway(oneGoaway as GoawayMeta)), oneGoaway);
      assert.deepEqual(decodeStats(encodeStats(oneStats as Stats)), oneStats);
      assert.deepEqual(decodeHello(encodeHello(oneHello as Hello)), oneHello);
      assert.deepEqual(decodeReady(encodeReady({ methods: sent[5] })), { methods: sent[5] });
    }),
  );
  for (const reason of ["deadline_exceeded", "canceled"] as const) {
    assert.deepEqual(decodeCancel(encodeCancel({ reason })), { reason });
  }
});

/** An invocation of a Lambda handler. */
function invocation(): fc.Arbitrary<object> {
  return fc
    .record({
      requestId: optional(text),
      functionArn: optional(text),
      clientContext: optional(fc.jsonValue().map(plain)),
      identity: optional(fc.jsonValue().map(plain)),
      trace: optional(text),
      tenantId: optional(text),
    })
    .map((one) => tidied(one));
}

/** As JSON has it: without -0, and without other prototypes. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test("whatever is thrown is described within the limit, and reads back", () => {
  const thrown = fc.oneof(
    fc.anything({ withBigInt: true, withMap: true, withTypedArray: true, withNullPrototype: true }),
    errors(),
  );
  fc.assert(
    fc.property(thrown, (value) => {
      const payload = encodeError(describeError(value));
      assert.ok(payload.length <= MAX_ERROR);
      const read = decodeError(payload);
      assert.equal(read.code, Code.Exception);
      assert.equal(typeof read.message, "string");
    }),
    { numRuns: 500 },
  );
});

function errors(): fc.Arbitrary<Error> {
  const cause = fc.oneof(
    fc.anything(),
    fc.string().map((message) => new Error(message)),
  );
  return fc
    .tuple(fc.string({ size: "large" }), cause, fc.dictionary(fc.string(), fc.anything()))
    .map(([message, inner, fields]) => Object.assign(new Error(message, { cause: inner }), fields));
}

test("an error of whatever size is encoded within 65,536 bytes and keeps code and message", () => {
  const long = fc.string({
    unit: fc.constantFrom("a", "\u0001", "\u{1f600}", "\ud800", '"'),
    minLength: 0,
    maxLength: 30,
  });
  const sized = fc
    .tuple(long, fc.nat(9_000))
    .map(([unit, times]) => unit.repeat(times).slice(0, 150_000));
  fc.assert(
    fc.property(sized, sized, sized, (message, stack, field) => {
      const error: ErrorObject = {
        code: Code.Exception,
        message,
        stack,
        fields: { field },
        cause: { message, stack, fields: { field } },
      };
      const payload = encodeError(error);
      assert.ok(payload.length <= MAX_ERROR, `${payload.length}`);
      const read = decodeError(payload);
      assert.ok(message.startsWith(read.message.slice(0, 400).replace(/\ufffd.*$/s, "")));
      if (payload.length < Buffer.from(JSON.stringify(error)).length)
        assert.equal(read.truncated, true);
    }),
    { numRuns: 60 },
  );
});

test("a message is kept whole where leaving out other parts makes room for it, a stack's end first of all", () => {
  const message = "m".repeat(700);
  for (const length of [400, 4_000, 16_384]) {
    const stack = `Error: ${message}\n${"    at x (/a/b.js:1:1)\n".repeat(1_000)}`.slice(0, length);
    const payload = encodeError(
      { code: Code.BootFailed, message, name: "Error", stack, fields: { a: "f".repeat(2_000) } },
      1_024,
    );
    const read = decodeError(payload);
    assert.ok(payload.length <= 1_024, `${payload.length}`);
    assert.equal(read.message, message);
    assert.ok(read.stack && stack.startsWith(read.stack) && read.stack.length >= 64, read.stack);
    assert.equal(read.truncated, true);
    assert.equal(read.fields, undefined);
  }
});

test("a log line's meta of exactly 16,384 bytes is whole, a longer one lacks the longer of method and trace id", () => {
  const log: LogMeta = { level: "info", source: "log", method: "m", traceId: "" };
  const room = MAX_META - encodeLog(log).length;
  const whole = { ...log, traceId: "t".repeat(room) };
  assert.equal(encodeLog(whole).length, MAX_META);
  assert.deepEqual(decodeLog(encodeLog(whole)), whole);
  const { traceId: _, ...untraced } = log;
  assert.deepEqual(decodeLog(encodeLog({ ...log, traceId: "t".repeat(room + 1) })), untraced);
  const { method: __, ...unnamed } = { ...log, traceId: "t" };
  assert.deepEqual(decodeLog(encodeLog({ ...unnamed, method: "m".repeat(room + 1) })), unnamed);
  const long = { ...log, method: "m".repeat(MAX_META), traceId: "t".repeat(MAX_META) };
  assert.deepEqual(decodeLog(encodeLog(long)), { level: "info", source: "log" });
});

test("of a message that does not fit all stays that does, and nothing is added", () => {
  for (const one of ["m", "é", "€", "😀", "\u0001", '"', "\ud83d"]) {
    const error = { code: Code.MethodNotFound, message: one.repeat(4_000) };
    const payload = encodeError(error, 1_024);
    assert.ok(payload.length <= 1_024 && payload.length > 1_024 - 7, `${one}: ${payload.length}`);
    const { message, ...rest } = decodeError(payload);
    assert.deepEqual(rest, { code: "method_not_found", truncated: true });
    if (one !== "\ud83d")
      assert.ok(error.message.startsWith(message) && !/\p{Surrogate}/u.test(message));
  }
});

test("a long name leaves room for a message", () => {
  const error = { code: Code.Exception, message: "m".repeat(4_000), name: "\u0001".repeat(4_000) };
  const { message } = decodeError(encodeError(error, 1_024));
  assert.ok(message.length > 500);
});
