import type { FrameInPlace } from "../protocol/frame.ts";
import {
  type CallMeta,
  CODECS,
  CONVENTIONS,
  type Codec,
  type Convention,
  decodeCall,
  type Invocation,
  nameIn,
} from "../protocol/message.ts";
import { readText } from "../protocol/methods.ts";
import { Buffer } from "./intrinsics.ts";

const METHOD = Buffer.from('{"method":"');
const TIMEOUT = Buffer.from(',"timeout":');
const TRACE_ID = Buffer.from(',"trace_id":"');
const TRACEPARENT = Buffer.from(',"traceparent":"');
const CONVENTION = Buffer.from(',"convention":"');
const ACCEPT = Buffer.from(',"accept":"');
/** A number of so many digits is one of JavaScript's. */
const MAX_DIGITS = 15;
/** Longest name of a method that is kept, in bytes. */
const MAX_KEPT = 128;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const END = 0x7d;
const ZERO = 0x30;

/** Every key is the object's own, so that none which user code added to Object.prototype is read in its place. */
class Meta implements CallMeta {
  readonly method: string;
  timeout?: number;
  traceId?: string;
  traceparent?: string;
  convention?: Convention;
  accept?: Codec;
  lambda?: Invocation;

  constructor(method: string) {
    this.method = method;
  }
}

/**
 * Reads the metas of calls. As hosts write them, compact and with their keys in the protocol's order, they are read byte by
 * byte, which takes a sixth of the time of JSON.parse and its object; all others are left to decodeCall.
 */
export class MetaReader {
  #bytes: Uint8Array = Buffer.alloc(0);
  /** Where the rest is that is not read yet. It may lie behind the meta, where the bytes are another's: read() looks at last. */
  #at = 0;
  #end = 0;
  /** The name before: most calls are of few methods. */
  #method = "";
  readonly #methodBytes: Uint8Array = Buffer.alloc(MAX_KEPT);

  /** Decodes a call's meta as decodeCall does. */
  read(frame: FrameInPlace): CallMeta {
    this.#bytes = frame.metaBytes;
    this.#at = frame.metaStart;
    this.#end = frame.metaEnd;
    return this.#compact() ?? decodeCall(frame.meta);
  }

  #compact(): CallMeta | undefined {
    const method = this.#skip(METHOD) ? this.#methodName() : undefined;
    if (method === undefined) return undefined;
    const meta = new Meta(method);
    const isWhole =
      (!this.#skip(TIMEOUT) || this.#timeout(meta)) &&
      (!this.#skip(TRACE_ID) || this.#text(meta, "traceId")) &&
      (!this.#skip(TRACEPARENT) || this.#text(meta, "traceparent")) &&
      (!this.#skip(CONVENTION) || this.#convention(meta)) &&
      (!this.#skip(ACCEPT) || this.#accept(meta)) &&
      this.#bytes[this.#at] === END &&
      this.#at + 1 === this.#end;
    return isWhole ? meta : undefined;
  }

  #skip(expected: Uint8Array): boolean {
    if (!isAt(this.#bytes, this.#at, expected, expected.length)) return false;
    this.#at += expected.length;
    return true;
  }

  #methodName(): string | undefined {
    const start = this.#at;
    const length = this.#plainLength();
    if (length < 0) return undefined;
    const isKept =
      length === this.#method.length && isAt(this.#bytes, start, this.#methodBytes, length);
    if (isKept) return this.#method;
    const name = readText(this.#bytes, start, start + length);
    if (length <= MAX_KEPT) {
      this.#method = name;
      for (let i = 0; i < length; i++) this.#methodBytes[i] = this.#bytes[start + i] as number;
    }
    return name;
  }

  #timeout(meta: Meta): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    let timeout = 0;
    for (; at - start < MAX_DIGITS; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      timeout = 10 * timeout + digit;
    }
    this.#at = at;
    meta.timeout = timeout;
    return timeout > 0 && bytes[start] !== ZERO;
  }

  #text(meta: Meta, key: "traceId" | "traceparent"): boolean {
    const text = this.#plainText();
    if (text !== undefined) meta[key] = text;
    return text !== undefined;
  }

  #convention(meta: Meta): boolean {
    const name = nameIn(CONVENTIONS, this.#plainText());
    if (name !== undefined) meta.convention = name;
    return name !== undefined;
  }

  #accept(meta: Meta): boolean {
    const name = nameIn(CODECS, this.#plainText());
    if (name !== undefined) meta.accept = name;
    return name !== undefined;
  }

  /** The text up to the next quotation mark, which is read, too; undefined where it is not plain ASCII. */
  #plainText(): string | undefined {
    const start = this.#at;
    const length = this.#plainLength();
    return length < 0 ? undefined : readText(this.#bytes, start, start + length);
  }

  /** Reads plain ASCII and the quotation mark behind it. Returns how long the text is, -1 where it is not plain. */
  #plainLength(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.#at;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return at - start;
      }
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
    }
    return -1;
  }
}

/** True where the first `length` of the expected bytes are at `at`. */
function isAt(bytes: Uint8Array, at: number, expected: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
