// A stand-in for RoadRunner's PHP worker: frames of goridge 3 over stdin and stdout, one call at a time. The context of a
// payload names the function; a context that is "bytes" is echo without JSON.

import { writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { readChunks } from "./chunks.ts";
import { methodOf } from "./method.ts";

/** Bytes of a header without options, and of one option. */
const HEADER = 12;
const WORD = 4;
const VERSION = 0x10;
const CONTROL = 0x01;
const RAW = 0x04;
const JSON_CODEC = 0x08;
const ERROR = 0x40;

/** Pieces of a frame that has not come whole, how many bytes they have, and how many it needs. */
let pieces: Buffer[] = [];
let held = 0;
let needed = HEADER;

readChunks((chunk) => {
  if (held + chunk.length < needed) {
    hold(chunk);
    return;
  }
  let bytes = held > 0 ? Buffer.concat([...pieces, chunk]) : chunk;
  pieces = [];
  held = 0;
  for (needed = sizeOf(bytes); bytes.length >= needed; needed = sizeOf(bytes)) {
    const head = headOf(bytes);
    void onFrame(bytes, head, Buffer.from(bytes.subarray(head, needed)));
    bytes = bytes.subarray(needed);
  }
  hold(bytes);
});

function hold(bytes: Buffer): void {
  if (bytes.length === 0) return;
  pieces.push(Buffer.from(bytes));
  held += bytes.length;
}

/** How many bytes the frame at the start has, as far as is known. */
function sizeOf(bytes: Buffer): number {
  return bytes.length < HEADER ? HEADER : headOf(bytes) + bytes.readUInt32LE(2);
}

function headOf(bytes: Buffer): number {
  return ((bytes[0] ?? 0) & 0x0f) * WORD;
}

async function onFrame(header: Buffer, head: number, payload: Buffer): Promise<void> {
  if ((header[1] ?? 0) & CONTROL) {
    control(JSON.parse(payload.toString()));
    return;
  }
  const split = head > HEADER ? header.readUInt32LE(HEADER) : 0;
  const method = payload.toString("latin1", 0, split);
  const body = payload.subarray(split);
  try {
    if (method === "bytes") send(RAW, body, [0]);
    else
      send(
        RAW,
        Buffer.from(JSON.stringify(await methodOf(method)(JSON.parse(body.toString())))),
        [0],
      );
  } catch (error) {
    send(RAW | ERROR, Buffer.from(String(error)), [0]);
  }
}

function control(command: { pid?: number; stop?: boolean }): void {
  if (command.stop) process.exit(0);
  send(CONTROL | JSON_CODEC, Buffer.from(JSON.stringify({ pid: process.pid })), []);
}

function send(flags: number, payload: Buffer, options: number[]): void {
  const frame = Buffer.allocUnsafe(HEADER + options.length * WORD + payload.length);
  frame[0] = VERSION | (HEADER / WORD + options.length);
  frame[1] = flags;
  frame.writeUInt32LE(payload.length, 2);
  frame.writeUInt32LE(crc32(frame.subarray(0, 6)), 6);
  frame.writeUInt16LE(0, 10);
  for (const [i, option] of options.entries()) frame.writeUInt32LE(option, HEADER + i * WORD);
  payload.copy(frame, HEADER + options.length * WORD);
  for (let sent = 0; sent < frame.length; ) sent += writeSync(1, frame, sent);
}
