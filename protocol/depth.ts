import { Encoding } from "./frame.ts";

/** Most levels that arrays and maps of one value may nest. */
export const MAX_DEPTH = 2_000;

/**
 * For hosts: true when a payload in JSON nests deeper than MAX_DEPTH, judged without decoding it. One too short to nest so
 * deep is not read. MessagePack is judged while it is encoded and decoded.
 */
export function isTooDeep(payload: Uint8Array, encoding: Encoding): boolean {
  return (
    encoding === Encoding.Json && payload.length > 2 * MAX_DEPTH && jsonDepth(payload) > MAX_DEPTH
  );
}

/** The deepest level that JSON text reaches. Text that is not JSON gives some number, never an error. */
function jsonDepth(text: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (byte === 0x22) {
      i = stringEnd(text, i + 1);
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
    }
  }
  return deepest;
}

/** Where the string's closing quote is. */
function stringEnd(text: Uint8Array, start: number): number {
  let i = start;
  while (i < text.length && text[i] !== 0x22) i += text[i] === 0x5c ? 2 : 1;
  return i;
}
