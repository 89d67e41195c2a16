import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MetaReader } from "../../bridge/meta-reader.ts";
import { FrameInPlace } from "../../protocol/frame.ts";
import { type CallMeta, CODECS, CONVENTIONS, decodeCall } from "../../protocol/message.ts";

const reader = new MetaReader();

test("a meta of a call is read as decodeCall reads it, whatever was read before and lies behind it", () => {
  fc.assert(
    fc.property(fc.oneof(texts(), pieces()), fc.nat(), fc.nat(0x7f), (text, at, byte) => {
      const bytes = Buffer.from(text);
      agrees(bytes, 0, bytes.length);
      agrees(bytes, 0, at % (bytes.length + 1));
      agrees(bytes, at % (bytes.length + 1), bytes.length);
      bytes[at % bytes.length] = byte;
      agrees(bytes, 0, bytes.length);
    }),
    { numRuns: 3_000 },
  );
});

/** Metas as hosts write them, with any text in them. */
function texts(): fc.Arbitrary<string> {
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.uuid());
  const timeout = fc.oneof(fc.nat(100_000), fc.double({ noNaN: true }), fc.maxSafeInteger());
  return fc
    .record(
      {
        method: fc.oneof(fc.constantFrom("echo", "prices.total"), text),
        timeout,
        trace_id: text,
        traceparent: text,
        convention: fc.oneof(fc.constantFrom(...CONVENTIONS), text),
        accept: fc.oneof(fc.constantFrom(...CODECS), text),
        lambda: fc.record({ request_id: text }),
      },
      { requiredKeys: ["method"] },
    )
    .map((meta) => JSON.stringify(meta));
}

/** Metas with one or two keys of any value, and what is no JSON. */
function pieces(): fc.Arbitrary<string> {
  const keys = ["timeout", "trace_id", "traceparent", "convention", "accept", "lambda", "other"];
  const values = ["1", "0", "01", "-1", "1.5", "1e3", "9".repeat(15), "9".repeat(16), "null", "{}"];
  const texts = ["json", "args", "", '\\"', "\\u0061", "a\u007f", "\u0001", "\u00e9", '"', "}"];
  const value = fc.constantFrom(...values, ...texts.map((text) => `"${text}"`), "", "}", " 1");
  const member = fc.tuple(fc.constantFrom(...keys), value).map(([key, of]) => `,"${key}":${of}`);
  return fc
    .array(member, { minLength: 1, maxLength: 2 })
    .map((members) => `{"method":"echo"${members.join("")}}`);
}

function agrees(bytes: Uint8Array, start: number, end: number): void {
  const frame = new FrameInPlace();
  frame.metaBytes = bytes;
  frame.metaStart = start;
  frame.metaEnd = end;
  assert.deepEqual(
    outcome(() => reader.read(frame)),
    outcome(() => decodeCall(bytes.subarray(start, end))),
    Buffer.from(bytes.subarray(start, end)).toString(),
  );
}

function outcome(read: () => CallMeta): unknown {
  try {
    return JSON.stringify(read());
  } catch (error) {
    return String(error);
  }
}

test("a meta has nothing of what user code added to Object.prototype", () => {
  const keys = ["timeout", "traceId", "traceparent", "convention", "accept", "lambda"] as const;
  for (const text of ['{"method":"echo"}', '{ "method":"echo"}']) {
    const frame = new FrameInPlace();
    frame.metaBytes = Buffer.from(text);
    frame.metaEnd = frame.metaBytes.length;
    for (const key of [...keys, "trace_id"]) Reflect.set(Object.prototype, key, "args");
    try {
      const meta = reader.read(frame);
      assert.deepEqual([meta.method, ...keys.map((key) => meta[key])].join(), "echo,,,,,,");
    } finally {
      for (const key of [...keys, "trace_id"]) Reflect.deleteProperty(Object.prototype, key);
    }
  }
});
