import { Encoding } from "./frame.ts";

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
  const nesting = new Nesting(limit);
  let offset = 0;
  while (nesting.left > 0) {
    const end = endOfShort(bytes, offset);
    offset = end > 0 ? end : readToken(bytes, offset).end;
    nesting.add(end > 0 ? 0 : token.children);
  }
  if (offset < bytes.length) throw new Error(`${bytes.length - offset} bytes after the value`);
  return nesting.deepest;
}

/** How many values are missing. */
class Nesting {
  /** At the innermost level. */
  left = 1;
  deepest = 0;
  #level = 0;
  /** At the levels around it. */
  readonly #outer: number[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes notice of the next value, which holds so many others. */
  add(children: number): void {
    this.left -= 1;
    if (children > 0) this.#enter(children);
    while (this.left === 0 && this.#level > 0) {
      this.#level -= 1;
      this.left = this.#outer[this.#level] ?? 0;
    }
  }

  #enter(children: number): void {
    this.#outer[this.#level] = this.left;
    this.left = children;
    this.#level += 1;
    if (this.#level <= this.deepest) return;
    this.deepest = this.#level;
    if (this.deepest > this.#limit) throw new Error(`nested deeper than ${this.#limit} levels`);
  }
}

/** Where a small integer or short text ends, as most values are; 0 for anything else. */
function endOfShort(bytes: Uint8Array, offset: number): number {
  const lead = bytes[offset];
  if (lead === undefined) return 0;
  if (lead < 0x80 || lead >= 0xe0) return offset + 1;
  const end = lead >= 0xa0 && lead < 0xc0 ? offset + 1 + (lead & 0x1f) : 0;
  return end <= bytes.length ? end : 0;
}

/** One token, reused: where it ends, and how many values follow as its children. */
const token = { end: 0, children: 0 };

function readToken(bytes: Uint8Array, offset: number): typeof token {
  const lead = bytes[offset];
  if (lead === undefined) throw new Error("ended inside a value");
  token.children = 0;
  token.end = offset + 1;
  if (lead < 0x90) token.children = (lead & 0x0f) * 2;
  else if (lead < 0xa0) token.children = lead & 0x0f;
  else if (lead < 0xc0) token.end += lead & 0x1f;
  else readLongToken(bytes, offset, lead);
  if (token.end > bytes.length) throw new Error("ended inside a value");
  if (token.children > bytes.length - token.end) throw new Error("holds less than its length says");
  return token;
}

/** Bytes of fixed data after the leads 0xca to 0xd3 and 0xd4 to 0xd8 (with the extension's type). */
const FIXED: Readonly<Record<number, number>> = {
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
  212: 2,
  213: 3,
  214: 5,
  215: 9,
  216: 17,
};

function readLongToken(bytes: Uint8Array, offset: number, lead: number): void {
  if (lead === 0xc1) throw new Error("0xc1 is no value");
  if (lead === 0xc0 || lead === 0xc2 || lead === 0xc3) return;
  const fixed = FIXED[lead];
  if (fixed !== undefined) {
    if (lead >= 0xd4) checkExtension(bytes, offset + 1, fixed - 1);
    token.end += fixed;
    return;
  }
  const width = lengthWidth(lead);
  const length = readLength(bytes, offset + 1, width);
  token.end += width;
  if (lead >= 0xde) token.children = length * 2;
  else if (lead >= 0xdc) token.children = length;
  else token.end += length;
  if (lead < 0xc7 || lead > 0xc9) return;
  checkExtension(bytes, token.end - length, length);
  token.end += 1;
}

/** Bytes of the length that follows a lead: bin, ext and str come as 8, 16, 32; array and map as 16, 32. */
function lengthWidth(lead: number): number {
  if (lead >= 0xdc) return lead % 2 === 0 ? 2 : 4;
  if (lead >= 0xd9) return 1 << (lead - 0xd9);
  return 1 << ((lead - 0xc4) % 3);
}

function readLength(bytes: Uint8Array, offset: number, width: number): number {
  if (offset + width > bytes.length) throw new Error("ended inside a value");
  let length = 0;
  for (let i = 0; i < width; i++) length = length * 256 + (bytes[offset + i] ?? 0);
  return length;
}

function checkExtension(bytes: Uint8Array, offset: number, size: number): void {
  const type = bytes[offset];
  const timestamp = type === 0xff && (size === 4 || size === 8 || size === 12);
  const nothing = type === 0 && size === 1;
  if (!(timestamp || nothing)) {
    const signed = ((type ?? 0) << 24) >> 24;
    throw new Error(`extension ${signed} with ${size} bytes: expected a timestamp or undefined`);
  }
}
