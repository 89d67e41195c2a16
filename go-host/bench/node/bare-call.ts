// What a bridge can't do without, and nothing else: each payload in memory of its own, handed to an async function whose
// result goes back; one write for all that came at once.

import { readSync, writeSync } from "node:fs";
import { readChunks } from "./chunks.ts";
import { echo } from "./trivial.ts";

/** Bytes of a frame's length and id. */
const HEADER = 8;
/** A payload from this size on is written by itself. */
const LARGE = 16_384;

const NOTHING: Buffer = Buffer.alloc(0);

/** A header that came in pieces. */
let partial = NOTHING;
let id = 0;
let body: Buffer | undefined;
let filled = 0;
const out: Buffer = Buffer.allocUnsafeSlow(1 << 20);
let end = 0;
let running = 0;

readChunks((chunk) => {
  for (let at = 0; at < chunk.length; ) at = body ? fill(body, chunk, at) : start(chunk, at);
  while (body && body.length >= LARGE && readNow(body));
});

/** Reads what is there already to where it belongs, and returns whether that was anything. */
function readNow(payload: Buffer): boolean {
  try {
    const size = readSync(0, payload, filled, payload.length - filled, null);
    advance(payload, size);
    return size > 0;
  } catch {
    return false; // nothing is there
  }
}

function start(chunk: Buffer, at: number): number {
  const next = at + HEADER - partial.length;
  const rest = chunk.subarray(at, next);
  const header = partial.length === 0 ? rest : Buffer.concat([partial, rest]);
  if (header.length < HEADER) {
    partial = Buffer.from(header);
    return chunk.length;
  }
  partial = NOTHING;
  id = header.readUInt32LE(4);
  body = Buffer.allocUnsafe(header.readUInt32LE(0));
  filled = 0;
  return fill(body, chunk, next);
}

function fill(payload: Buffer, chunk: Buffer, at: number): number {
  const size = Math.min(payload.length - filled, chunk.length - at);
  chunk.copy(payload, filled, at, at + size);
  advance(payload, size);
  return at + size;
}

function advance(payload: Buffer, size: number): void {
  filled += size;
  if (filled === payload.length) run(id, payload);
}

function run(caller: number, payload: Buffer): void {
  body = undefined;
  running += 1;
  void echo(payload).then((result) => {
    running -= 1;
    answer(caller, result as Buffer);
    if (running === 0) flush();
  });
}

function answer(caller: number, payload: Buffer): void {
  const large = payload.length >= LARGE;
  if (out.length - end < HEADER + (large ? 0 : payload.length)) flush();
  out.writeUInt32LE(payload.length, end);
  out.writeUInt32LE(caller, end + 4);
  end += HEADER;
  if (large) {
    flush();
    write(payload, payload.length);
  } else {
    end += payload.copy(out, end);
  }
}

function flush(): void {
  write(out, end);
  end = 0;
}

function write(bytes: Buffer, size: number): void {
  for (let sent = 0; sent < size; ) sent += writeSync(1, bytes, sent, size - sent);
}
