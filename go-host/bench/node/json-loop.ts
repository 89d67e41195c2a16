import { writeSync } from "node:fs";
import { readChunks } from "./chunks.ts";

/** Bytes of a frame's length and id. */
const HEADER = 8;

let rest: Buffer = Buffer.alloc(0);
let out: Buffer = Buffer.allocUnsafeSlow(1 << 20);
let end = 0;

/**
 * Decodes and encodes each frame. What has gathered is written after so many of those that came at once, then after twice as
 * many each time up to the longest step, and at the end of them. `prefix` is how many bytes each has before its JSON, of text that
 * goes to `onPrefix`.
 */
export function serveJSON(
  firstStep: number,
  longestStep: number,
  prefix = 0,
  onPrefix: (text: string) => void = () => {},
): void {
  readChunks((chunk) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (let step = firstStep, left = step; bytes.length - at >= HEADER; ) {
      const size = bytes.readUInt32LE(at);
      if (bytes.length - at < HEADER + size) break;
      const from = at + HEADER + prefix;
      if (prefix > 0) onPrefix(bytes.toString("latin1", at + HEADER, from));
      const value: unknown = JSON.parse(bytes.toString("utf8", from, at + HEADER + size));
      answer(bytes.readUInt32LE(at + 4), JSON.stringify(value));
      at += HEADER + size;
      left -= 1;
      if (left > 0) continue;
      flush();
      step = Math.min(2 * step, longestStep);
      left = step;
    }
    rest = Buffer.from(bytes.subarray(at));
    flush();
  });
}

function answer(id: number, text: string): void {
  makeRoom(HEADER + text.length * 3);
  const size = out.write(text, end + HEADER);
  out.writeUInt32LE(size, end);
  out.writeUInt32LE(id, end + 4);
  end += HEADER + size;
}

function makeRoom(size: number): void {
  if (out.length - end >= size) return;
  const larger = Buffer.allocUnsafeSlow(out.length + size);
  out.copy(larger, 0, 0, end);
  out = larger;
}

function flush(): void {
  for (let sent = 0; sent < end; ) sent += writeSync(1, out, sent, end - sent);
  end = 0;
}
