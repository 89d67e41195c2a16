import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Encoding,
  encodeFrame,
  type Frame,
  FrameError,
  FrameReader,
  Kind,
  MAX_META,
} from "../../protocol/frame.ts";
import { Buffer as allocators } from "../../protocol/methods.ts";

const frame = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  encoding: fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<Encoding>,
  id: fc.nat(0xffffffff),
  meta: fc.uint8Array({ maxLength: 40 }),
  payload: fc.uint8Array({ maxLength: 300 }),
});
/** Lengths of the pieces that a stream comes in; the last is repeated. */
const pieces = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 30 });

test("any frames read the same, in whatever pieces they come", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), pieces, (frames, lengths) => {
      const read: Frame[] = [];
      const reader = new FrameReader({ onFrame: (one) => read.push(copy(one)), maxPayload: 300 });
      for (const piece of cut(Buffer.concat(frames.map(encodeFrame)), lengths)) reader.push(piece);
      reader.end();
      assert.deepEqual(read, frames.map(copy));
    }),
  );
});

test("whatever comes, a reader throws a FrameError or nothing, and accepts no more than its limit", () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), brokenFrames());
  fc.assert(
    fc.property(bytes, pieces, (stream, lengths) => {
      const reader = new FrameReader({
        maxPayload: 100,
        onFrame: ({ meta, payload }) => assert.ok(meta.length <= MAX_META && payload.length <= 100),
      });
      try {
        for (const piece of cut(stream, lengths)) reader.push(piece);
        reader.end();
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
        reader.push(Buffer.from("ignored"));
        reader.end();
      }
    }),
    { numRuns: 500 },
  );
});

/** Frames of which one byte is another. */
function brokenFrames(): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.array(frame, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(255))
    .map(([frames, at, byte]) => {
      const bytes = Buffer.concat(frames.map(encodeFrame));
      bytes[at % bytes.length] = byte;
      return bytes;
    });
}

test("a reader allocates once for a frame, after its header, what the header says and never over the limit", (t) => {
  const alloc = t.mock.method(allocators, "allocUnsafeSlow");
  const reader = new FrameReader({ maxPayload: 1_000, onFrame: () => {} });
  const { length } = alloc.mock.calls;
  for (const byte of encodeFrame({ kind: Kind.Call, id: 1, payload: new Uint8Array(1_000) }))
    reader.push(Buffer.of(byte));
  const sizes = alloc.mock.calls.slice(length).map(({ arguments: [size] }) => size);
  assert.deepEqual(sizes, [1_000]);
  const lie = Buffer.from("ff524201030000000000000100010000", "hex");
  assert.throws(() => reader.push(lie), /at most 1000 bytes of payload, the header says 65536/);
  assert.equal(alloc.mock.calls.length, length + 1);
});

test("what comes before a hello is skipped and handed over, in whatever pieces", () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.constant(Buffer.from("ff5242ff524202ff5242", "hex")),
  );
  fc.assert(
    fc.property(junk, fc.array(frame, { maxLength: 3 }), pieces, (before, frames, lengths) => {
      const hello = {
        kind: Kind.Hello,
        encoding: 0 as Encoding,
        id: 0,
        meta: new Uint8Array(),
        payload: Buffer.from("{}"),
      };
      fc.pre(Buffer.from(before).indexOf(Buffer.from("ff52420101", "hex")) < 0);
      const read: Frame[] = [];
      const skipped: Buffer[] = [];
      const reader = new FrameReader({
        onFrame: (one) => read.push(copy(one)),
        onSkipped: (bytes) => skipped.push(Buffer.from(bytes)),
      });
      const stream = Buffer.concat([before, ...[hello, ...frames].map(encodeFrame)]);
      for (const piece of cut(stream, lengths)) reader.push(piece);
      reader.end();
      assert.deepEqual(Buffer.concat(skipped), Buffer.from(before));
      assert.deepEqual(read, [hello, ...frames].map(copy));
    }),
  );
});

test("a closed reader calls nobody, from inside a callback too", () => {
  const kinds: number[] = [];
  const reader: FrameReader = new FrameReader({
    onFrame: ({ kind }) => {
      kinds.push(kind);
      reader.close();
    },
  });
  reader.push(Buffer.concat([1, 2, 3].map((kind) => Buffer.from(encodeFrame({ kind })))));
  assert.deepEqual(kinds, [1]);
});

test("a writer refuses what has no room in a header", () => {
  assert.throws(
    () => encodeFrame({ kind: 3, meta: new Uint8Array(MAX_META + 1) }),
    /16385 bytes, at most 16384/,
  );
  for (const id of [-1, 1.5, 2 ** 32, Number.NaN])
    assert.throws(() => encodeFrame({ kind: 3, id }), /32-bit/);
});

function* cut(bytes: Uint8Array, lengths: readonly number[]): Generator<Buffer> {
  let offset = 0;
  for (let i = 0; offset < bytes.length; i++) {
    const end = offset + (lengths[Math.min(i, lengths.length - 1)] ?? 1);
    yield Buffer.from(bytes.subarray(offset, end));
    offset = end;
  }
}

/** As a plain value, so that it outlives the callback and compares by content. */
function copy({ kind, encoding, id, meta, payload }: Frame): Frame {
  return { kind, encoding, id, meta: Buffer.from(meta), payload: Buffer.from(payload) };
}
