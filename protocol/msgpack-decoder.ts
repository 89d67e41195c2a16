import { MAX_DEPTH } from "./depth.ts";
import { append } from "./list.ts";
import {
  Buffer,
  dataViewOf,
  getBigInt64,
  getBigUint64,
  getFloat32,
  getFloat64,
  readText,
  setBytes,
  sizeOf,
  unitAt,
  viewOf,
} from "./methods.ts";
import { withoutPrototype } from "./prototype.ts";

const { isSafeInteger } = Number;
const { abs, floor } = Math;
const { defineProperty } = Object;

/** Most bytes of texts that are kept, as keys are and what comes again and again, and how many of them. */
const MAX_KEPT_TEXT = 24;
const KEPT = 1024;
/** Most milliseconds before or after 1970 that a Date has. */
const MAX_TIME = 8_640_000_000_000_000;

/**
 * Decodes exactly one MessagePack value of at most MAX_DEPTH levels, whose only extensions are timestamps, which are Dates,
 * and undefined. Integers that no number holds exactly are BigInts; bytes share no memory with the payload. Throws an
 * Error for anything else, lengths beyond the payload included, before it takes memory for them.
 */
export function decodeMsgpack(payload: Uint8Array): unknown {
  return new Decoder(payload).decode();
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #size: number;
  /** For numbers of more than 32 bits. */
  #view: DataView | undefined;
  /** Where the next token begins. */
  #next = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#size = sizeOf(bytes);
  }

  decode(): unknown {
    const value = this.#value(0);
    const more = this.#size - this.#next;
    if (more > 0) throw new Error(`${more} bytes after the value`);
    return value;
  }

  #value(depth: number): unknown {
    // As #natural(1) does, without its loop: each value comes by here.
    if (this.#next >= this.#size) throw new Error("ended inside a value");
    const lead = this.#bytes[this.#next] as number;
    this.#next += 1;
    if (lead < 0x80) return lead;
    if (lead >= 0xe0) return lead - 0x100;
    if (lead < 0x90) return this.#map(lead & 0x0f, depth);
    if (lead < 0xa0) return this.#list(lead & 0x0f, depth);
    if (lead < 0xc0) return this.#text(lead & 0x1f);
    return this.#long(lead, depth);
  }

  #long(lead: number, depth: number): unknown {
    switch (lead) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#natural(1 << (lead - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#natural(1 << (lead - 0xc7)));
      case 0xca:
        return getFloat32(this.#numbers(), this.#take(4));
      case 0xcb:
        return getFloat64(this.#numbers(), this.#take(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#natural(1 << (lead - 0xcc));
      case 0xcf:
        return numberIfSafe(getBigUint64(this.#numbers(), this.#take(8)));
      case 0xd0:
        return (this.#natural(1) << 24) >> 24;
      case 0xd1:
        return (this.#natural(2) << 16) >> 16;
      case 0xd2:
        return this.#natural(4) | 0;
      case 0xd3:
        return numberIfSafe(getBigInt64(this.#numbers(), this.#take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (lead - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#natural(1 << (lead - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#natural(2 << (lead - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#natural(2 << (lead - 0xde)), depth);
      default:
        throw new Error("0xc1 is no value");
    }
  }

  #list(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const list: unknown[] = [];
    for (let i = 0; i < length; i++) append(list, this.#value(depth + 1));
    return list;
  }

  /**
   * As JSON.parse makes it, `__proto__` a key like any other, but for keys that somebody put a setter for on
   * Object.prototype, which is called: to look for one costs a fifth of the time.
   */
  #map(count: number, depth: number): object {
    this.#enter(2 * count, depth);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#key(depth + 1);
      const value = this.#value(depth + 1);
      if (key === "__proto__") {
        define(object, key, value);
      } else {
        try {
          object[key] = value;
        } catch {
          define(object, key, value); // Object.prototype is frozen, or has a getter of this name
        }
      }
    }
    return object;
  }

  #key(depth: number): string {
    const key = this.#value(depth);
    if (typeof key === "string") return key;
    if (typeof key !== "object" || key === null) return `${key}`;
    throw new Error("a map has a key that is neither text nor a number");
  }

  /** Each child has a byte at least. What has none is no level. */
  #enter(children: number, depth: number): void {
    if (children > 0 && depth >= MAX_DEPTH)
      throw new Error(`nested deeper than ${MAX_DEPTH} levels`);
    if (children > this.#size - this.#next) throw new Error("holds less than its length says");
  }

  #text(size: number): string {
    const start = this.#take(size);
    if (size > MAX_KEPT_TEXT) return readText(this.#bytes, start, this.#next);
    if (size === 0) return "";
    const slot = this.#slotOf(start, size);
    const kept = texts[slot] as string;
    if (this.#isAt(start, kept, size)) return kept;
    const text = readText(this.#bytes, start, this.#next);
    if (text.length === size) texts[slot] = text;
    return text;
  }

  #slotOf(start: number, size: number): number {
    const first = this.#bytes[start] as number;
    const middle = this.#bytes[start + (size >> 1)] as number;
    const last = this.#bytes[start + size - 1] as number;
    return (first ^ (middle << 3) ^ (last << 5) ^ (size << 7)) % KEPT;
  }

  /** Kept texts have as many units as bytes: those of ASCII, and U+FFFD, which is no byte's value. */
  #isAt(start: number, text: string, size: number): boolean {
    if (text.length !== size) return false;
    for (let i = 0; i < size; i++) {
      if (unitAt(text, i) !== this.#bytes[start + i]) return false;
    }
    return true;
  }

  /** Memory of its own, also for few bytes: some code reads all of a Buffer's `buffer`. */
  #binary(size: number): Uint8Array {
    const start = this.#take(size);
    const bytes = Buffer.allocUnsafeSlow(size);
    setBytes(bytes, viewOf(this.#bytes, start, this.#next), 0);
    return bytes;
  }

  #extension(size: number): Date | undefined {
    const type = (this.#natural(1) << 24) >> 24;
    if (type === 0 && size === 1) {
      this.#take(1);
      return undefined;
    }
    if (type === -1 && size === 4) return new Date(this.#natural(4) * 1000);
    if (type === -1 && size === 8) return this.#date64();
    if (type === -1 && size === 12) return this.#date96();
    throw new Error(`extension ${type} with ${size} bytes: expected a timestamp or undefined`);
  }

  #date64(): Date {
    const high = this.#natural(4);
    const seconds = (high & 3) * 0x100000000 + this.#natural(4);
    return dateOf(seconds, high >>> 2);
  }

  #date96(): Date {
    const nanoseconds = this.#natural(4);
    const seconds = getBigInt64(this.#numbers(), this.#take(8));
    return dateOf(Number(seconds), nanoseconds);
  }

  /** An unsigned integer of that many bytes. */
  #natural(size: number): number {
    let value = 0;
    for (let i = this.#take(size); i < this.#next; i++) {
      value = value * 0x100 + (this.#bytes[i] as number);
    }
    return value;
  }

  #numbers(): DataView {
    this.#view ??= dataViewOf(this.#bytes);
    return this.#view;
  }

  /** Where so many bytes begin, after which the next token is. */
  #take(size: number): number {
    const start = this.#next;
    if (size > this.#size - start) throw new Error("ended inside a value");
    this.#next = start + size;
    return start;
  }
}

/** Short texts that came before, by a hash of theirs: a key that comes again is the same string. */
const texts: string[] = new Array<string>(KEPT).fill("");

function define(object: object, key: string, value: unknown): void {
  const property = { value, writable: true, enumerable: true, configurable: true };
  defineProperty(object, key, withoutPrototype(property));
}

function numberIfSafe(value: bigint): number | bigint {
  const number = Number(value);
  return isSafeInteger(number) ? number : value;
}

/** Dates have milliseconds: what there is of finer time is left out. */
function dateOf(seconds: number, nanoseconds: number): Date {
  if (nanoseconds > 999_999_999) throw new Error(`a timestamp has ${nanoseconds} nanoseconds`);
  const time = seconds * 1000 + floor(nanoseconds / 1_000_000);
  if (abs(time) > MAX_TIME) throw new Error("a timestamp is beyond the times of a Date");
  return new Date(time);
}
