import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { suite, test } from "node:test";
import {
  Encoding,
  encodeFrame,
  type Frame,
  FrameError,
  FrameReader,
} from "../../protocol/frame.ts";
import { feed } from "../support/frames.ts";
import { allowOnly, bytes, type Case, readCases } from "../support/vectors.ts";

interface StreamCase extends Case {
  readonly max_payload?: number;
  readonly hex: string;
  readonly skipped?: string;
  readonly frames: readonly FrameCase[];
  readonly result: "valid" | "broken" | "truncated";
  readonly error?: readonly string[];
  readonly read_only?: boolean;
}

interface FrameCase {
  readonly kind: number;
  readonly encoding: "json" | "msgpack" | "raw" | "reserved";
  readonly id: number;
  readonly meta: string;
  readonly payload: string;
  readonly times?: number;
}

const encodings = {
  json: Encoding.Json,
  msgpack: Encoding.Msgpack,
  raw: Encoding.Raw,
  reserved: Encoding.Reserved,
};
const pieceSizes = { whole: Number.POSITIVE_INFINITY, bytes: 1, sevens: 7, chunks: 65_536 };

suite("frames", () => {
  for (const stream of readStreams("frames.json", ["max_payload", "read_only"])) {
    test(`${stream.id} reads as described`, () => inPieces(stream, checkReading));
    if (stream.result !== "valid" || stream.read_only) continue;
    test(`${stream.id} is written byte for byte`, () => {
      const written = Buffer.concat(framesOf(stream).map(encodeFrame));
      assert.ok(written.equals(bytes(stream.hex)));
    });
  }
});

suite("before hello", () => {
  for (const stream of readStreams("before-hello.json", ["skipped"])) {
    test(`${stream.id} reads as described`, () => inPieces(stream, checkSkipping));
  }
});

function readStreams(name: string, keys: readonly string[]): StreamCase[] {
  const streams = readCases<StreamCase>(name, ["hex", "frames", "result", "error", ...keys]);
  for (const { id, frames, result } of streams) {
    assert.ok(["valid", "broken", "truncated"].includes(result), `${id}: no result ${result}`);
    for (const frame of frames) {
      allowOnly(id, frame, ["kind", "encoding", "id", "meta", "payload", "times"]);
    }
  }
  return streams;
}

/** Runs a check on the case's bytes as they may come: at once, one by one, in chunks. */
function inPieces(
  stream: StreamCase,
  check: (stream: StreamCase, pieces: Iterable<Buffer>) => void,
): void {
  const all = bytes(stream.hex);
  for (const size of Object.values(pieceSizes)) check(stream, split(all, size));
}

function* split(all: Buffer, size: number): Iterable<Buffer> {
  for (let start = 0; start < all.length; start += size) {
    yield all.subarray(start, Math.min(all.length, start + size));
  }
}

function checkReading(stream: StreamCase, pieces: Iterable<Buffer>): void {
  const frames: Frame[] = [];
  const reader = new FrameReader({
    maxPayload: stream.max_payload ?? 0,
  });
  checkEnd(stream, readAll(reader, pieces, frames));
  checkFrames(stream, frames);
}

function checkSkipping(stream: StreamCase, pieces: Iterable<Buffer>): void {
  const frames: Frame[] = [];
  const skipped: Buffer[] = [];
  const reader = new FrameReader({
    onSkipped: (piece) => skipped.push(Buffer.from(piece)),
  });
  checkEnd(stream, readAll(reader, pieces, frames));
  checkFrames(stream, frames);
  if (stream.skipped !== undefined) {
    assert.ok(Buffer.concat(skipped).equals(bytes(stream.skipped)), "skipped other bytes");
  }
}

function readAll(reader: FrameReader, pieces: Iterable<Buffer>, frames: Frame[]): unknown {
  try {
    for (const piece of pieces) feed(reader, piece, (frame) => frames.push(copyOf(frame)));
  } catch (error) {
    return { error, atEnd: false };
  }
  try {
    reader.end();
  } catch (error) {
    return { error, atEnd: true };
  }
  return { atEnd: true };
}

function checkEnd(stream: StreamCase, outcome: unknown): void {
  const { error, atEnd } = outcome as { error?: unknown; atEnd: boolean };
  if (stream.result === "valid") {
    assert.equal(error, undefined);
    return;
  }
  assert.ok(error instanceof FrameError, `expected broken framing, got ${error}`);
  assert.equal(atEnd, stream.result === "truncated", String(error));
  for (const part of stream.error ?? []) {
    assert.ok(error.message.includes(part), `expected "${part}" in: ${error.message}`);
  }
}

function checkFrames(stream: StreamCase, frames: readonly Frame[]): void {
  assert.deepEqual(frames, framesOf(stream));
}

function framesOf(stream: StreamCase): Frame[] {
  return stream.frames.flatMap(({ kind, encoding, id, meta, payload, times = 1 }) => {
    const frame = { kind, encoding: encodings[encoding], id };
    return Array<Frame>(times).fill({ ...frame, meta: bytes(meta), payload: bytes(payload) });
  });
}

/** A frame's views live no longer than its callback. */
function copyOf({ kind, encoding, id, meta, payload }: Frame): Frame {
  return { kind, encoding, id, meta: Buffer.from(meta), payload: Buffer.from(payload) };
}
