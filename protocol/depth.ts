import { Encoding } from "./frame.ts";
import { endOfFixed, readToken, token } from "./token.ts";

/** Most levels that arrays and maps of one value may nest. */
export const MAX_DEPTH = 2_000;

/**
 * For hosts: true when a payload nests deeper than MAX_DEPTH, judged without decoding it. Payloads too short to nest so
 * deep are not read.
 */
export function isTooDeep(payload: Uint8Array, encoding: Encoding): boolean {
  if (encoding === Encoding.Json) {
    return payload.length > 2 * MAX_DEPTH && jsonDepth(payload) > MAX_DEPTH;
  }
  return (
    encoding === Encoding.Msgpack && payload.length > MAX_DEPTH && msgpackDepth(payload) > MAX_DEPTH
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

function msgpackDepth(bytes: Uint8Array): number {
  try {
    return scan(bytes, Number.POSITIVE_INFINITY);
  } catch {
    return 0;
  }
}

/**
 * Throws an Error unless the bytes are exactly one MessagePack value of at most MAX_DEPTH levels, with no extensions but
 * timestamps and undefined. What decodes it can then trust lengths, and needs no bound on recursion of its own.
 */
export function assertWellFormed(bytes: Uint8Array): void {
  scan(bytes, MAX_DEPTH);
}

/** Returns the deepest level; throws past `limit`. */
function scan(bytes: Uint8Array, limit: number): number {
  const { length } = bytes;
  const nesting = new Nesting(limit);
  let missing = 1; // values of the innermost level
  let offset = 0;
  while (missing > 0) {
    if (offset >= length) throw new Error("ended inside a value");
    const lead = bytes[offset] as number;
    const end = endOfFixed(offset, lead);
    missing -= 1;
    if (end > 0) {
      offset = end;
    } else {
      readToken(bytes, offset, lead);
      offset = token.end;
      if (token.children > 0) missing = nesting.enter(token.children, missing);
    }
    if (missing === 0) missing = nesting.leave();
  }
  if (offset > length) throw new Error("ended inside a value");
  if (offset < length) throw new Error(`${length - offset} bytes after the value`);
  return nesting.deepest;
}

/** The levels around the innermost one. */
class Nesting {
  deepest = 0;
  #level = 0;
  /** Values that each of them misses. */
  readonly #missing: number[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Returns how many values the level has that is entered. */
  enter(children: number, missing: number): number {
    this.#missing[this.#level] = missing;
    this.#level += 1;
    if (this.#level > this.deepest) this.deepest = this.#level;
    if (this.#level > this.#limit) throw new Error(`nested deeper than ${this.#limit} levels`);
    return children;
  }

  /** Leaves the innermost level, and others that miss nothing. Returns what the next misses; 0 if there is none. */
  leave(): number {
    let missing = 0;
    while (missing === 0 && this.#level > 0) {
      this.#level -= 1;
      missing = this.#missing[this.#level] as number;
    }
    return missing;
  }
}
