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
import { feed } from "../support/frames.ts";

const frame = frameOf(fc.uint8Array({ maxLength: 300 }));
/** Lengths of the pieces that a stream comes in; the last is repeated. */
const pieces = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 30 });

/** From this size on, in bytes, a payload that comes in pieces gets memory of its own. */
const LARGE = 16_384;
const largePayload = fc
  .tuple(fc.integer({ min: LARGE - 2, max: LARGE + 2_000 }), fc.nat(250))
  .map(([size, first]) => Uint8Array.from({ length: size }, (_, i) => (first + i) % 251));
const largePieces = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 30 });

function frameOf(payload: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Frame> {
  return fc.record({
    kind: fc.integer({ min: 0, max: 255 }),
    encoding: fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<Encoding>,
    id: fc.nat(0xffffffff),
    meta: fc.uint8Array({ maxLength: 40 }),
    payload,
  });
}

for (const [size, some, lengthsOfPieces] of [
  ["small", frame, pieces],
  ["large", fc.oneof(frame, frameOf(largePayload)), largePieces],
] as const) {
  test(`any ${size} frames read the same, in whatever pieces they come`, () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 8 }), lengthsOfPieces, (frames, lengths) => {
        const read: Frame[] = [];
        const reader = new FrameReader({ maxPayload: 2 * LARGE });
        const stream = Buffer.concat(frames.map(encodeFrame));
        for (const piece of cut(stream, lengths))
          feed(reader, piece, (one) => read.push(copy(one)));
        reader.end();
        assert.deepEqual(read, frames.map(copy));
      }),
    );
  });
}

test("whatever comes, a reader throws a FrameError or nothing, and accepts no more than its limit", () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), brokenFrames());
  fc.assert(
    fc.property(bytes, pieces, (stream, lengths) => {
      const reader = new FrameReader({ maxPayload: 100 });
      const isWithin = ({ meta, payload }: Frame) =>
        assert.ok(meta.length <= MAX_META && payload.length <= 100);
      try {
        for (const piece of cut(stream, lengths)) feed(reader, piece, isWithin);
        reader.end();
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
        feed(reader, Buffer.from("ignored"), () => assert.fail("a frame after the error"));
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

test("a reader allocates once for a large payload, after the header, what the header says and never over the limit", (t) => {
  const alloc = t.mock.method(allocators, "allocUnsafeSlow");
  const reader = new FrameReader({ maxPayload: LARGE });
  const { length } = alloc.mock.calls;
  const large = { kind: Kind.Call, id: 1, meta: Buffer.from("{}"), payload: new Uint8Array(LARGE) };
  for (const byte of encodeFrame(large)) feed(reader, Buffer.of(byte));
  const sizes = alloc.mock.calls.slice(length).map(({ arguments: [size] }) => size);
  assert.deepEqual(sizes, [LARGE]);
  const lie = Buffer.from("ff524201030000000000000100010000", "hex");
  assert.throws(() => feed(reader, lie), /at most 16384 bytes of payload, the header says 65536/);
  assert.equal(alloc.mock.calls.length, length + 1);
});

test("a large payload that came in pieces is in memory of its own, which the reader forgets", () => {
  const reader = new FrameReader({ maxPayload: LARGE });
  const bytes = encodeFrame({
    kind: Kind.Call,
    id: 1,
    meta: Buffer.from("{}"),
    payload: filled(7),
  });
  reader.feed(bytes.subarray(0, 1_000));
  assert.equal(reader.next(), undefined);
  reader.feed(Buffer.concat([bytes.subarray(1_000), encodeFrame({ kind: Kind.Ping })]));
  const one = reader.next();
  const { payloadBytes, hasOwnMemory } = one ?? assert.fail("no frame");
  assert.equal(hasOwnMemory, true);
  assert.deepEqual([payloadBytes.byteOffset, payloadBytes.buffer.byteLength], [0, LARGE]);
  assert.deepEqual(payloadBytes, filled(7));
  assert.deepEqual(reader.next()?.payload, Buffer.alloc(0));
  assert.notEqual(one?.payloadBytes, payloadBytes);
  reader.feed(encodeFrame({ kind: Kind.Call, id: 2, payload: filled(8) }));
  assert.equal(reader.next()?.hasOwnMemory, false);
  assert.deepEqual(payloadBytes, filled(7));
});

test("any large frames read the same where they are read into the reader's own memory", () => {
  let rooms = 0;
  const size = fc.integer({ min: 2 * LARGE, max: 3 * LARGE });
  const payload = size.map((length) => Uint8Array.from({ length }, (_, i) => (length + i) % 251));
  const some = fc.oneof(frame, frameOf(payload));
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), largePieces, (frames, lengths) => {
      const read: Frame[] = [];
      const reader = new FrameReader({ maxPayload: 3 * LARGE });
      const stream = Buffer.concat(frames.map(encodeFrame));
      for (const piece of cut(stream, lengths)) {
        const room = reader.room();
        const size = Math.min(room?.length ?? 0, piece.length);
        if (room) {
          room.set(piece.subarray(0, size));
          reader.filled(size);
          rooms += 1;
        }
        feed(reader, piece.subarray(size), (one) => read.push(copy(one)));
      }
      reader.end();
      assert.deepEqual(read, frames.map(copy));
    }),
  );
  assert.ok(rooms > 0);
});

function filled(byte: number): Buffer {
  return Buffer.alloc(LARGE, byte);
}

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
      const reader = new FrameReader({ onSkipped: (bytes) => skipped.push(Buffer.from(bytes)) });
      const stream = Buffer.concat([before, ...[hello, ...frames].map(encodeFrame)]);
      for (const piece of cut(stream, lengths)) feed(reader, piece, (one) => read.push(copy(one)));
      reader.end();
      assert.deepEqual(Buffer.concat(skipped), Buffer.from(before));
      assert.deepEqual(read, [hello, ...frames].map(copy));
    }),
  );
});

test("what is fed before all frames were read comes after them", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), pieces, (frames, lengths) => {
      const read: Frame[] = [];
      const reader = new FrameReader({ maxPayload: 300 });
      for (const piece of cut(Buffer.concat(frames.map(encodeFrame)), lengths)) {
        reader.feed(piece);
        piece.fill(0xee); // its owner reads the next into it
        const one = reader.next();
        if (one) read.push(copy(one));
      }
      for (let one = reader.next(); one; one = reader.next()) read.push(copy(one));
      reader.end();
      assert.deepEqual(read, frames.map(copy));
    }),
  );
});

test("a closed reader has no more frames", () => {
  const reader = new FrameReader();
  reader.feed(Buffer.concat([1, 2, 3].map((kind) => encodeFrame({ kind }))));
  assert.equal(reader.next()?.kind, 1);
  reader.close();
  assert.equal(reader.next(), undefined);
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
