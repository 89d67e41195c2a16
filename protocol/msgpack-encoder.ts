import { Buffer as NodeBuffer } from "node:buffer";
import { types } from "node:util";
import { MAX_DEPTH } from "./depth.ts";
import { someItem } from "./list.ts";
import {
  Buffer,
  copyBytes,
  copyWithin,
  dataViewOf,
  eachEntry,
  entryCount,
  membersOf,
  setBigInt64,
  setBigUint64,
  setBytes,
  setFloat64,
  setUint32,
  sizeOf,
  timeOf,
  unitAt,
  writeText,
} from "./methods.ts";

const { isArray } = Array;
const { isView } = ArrayBuffer;
const {
  isAnyArrayBuffer,
  isBigIntObject,
  isBoxedPrimitive,
  isDate,
  isMap,
  isNumberObject,
  isSet,
  isStringObject,
  isSymbolObject,
} = types;
const { isNaN: isNotANumber, isSafeInteger } = Number;
const { asIntN, asUintN } = BigInt;
const { floor } = Math;
const { apply } = Reflect;
const { getOwnPropertyDescriptor, getPrototypeOf, keys: ownKeys } = Object;
const objectPrototype: object = Object.prototype;
const sharedPrototypes: readonly object[] = [objectPrototype, Array.prototype];
const nativeDateToJson = Date.prototype.toJSON;
const nativeBufferToJson: unknown = NodeBuffer.prototype.toJSON;
const booleanOf = Boolean.prototype.valueOf;
const bigIntOf = BigInt.prototype.valueOf;
const { parse } = JSON;
const { isRawJSON: isRawJson = () => false } = JSON as unknown as {
  /** Node 22 and newer. */
  isRawJSON?: (value: unknown) => boolean;
};

/** Bytes that an encoder begins with, and most that are kept for the next value. */
const INITIAL_SIZE = 0x4000;
const MAX_KEPT = 0x400000;
/** Texts of fewer UTF-16 units are written faster one by one than by a call of Buffer's, unless one is not ASCII. */
const SHORT = 64;
const EMPTY: Uint8Array = Buffer.alloc(0);

let idle: Encoder | undefined;

/**
 * Encodes a value as MessagePack, by JSON's rules where JSON has one (toJSON, own enumerable properties, nothing for
 * functions) and beyond them where MessagePack has a type: bytes, dates, maps, BigInts. What is nothing has no bytes.
 * Throws a RangeError for a BigInt over 64 bits and for more than MAX_DEPTH levels, a TypeError for a Map's key that
 * becomes nothing, as a function does: leaving out the entry would lose its value. Throws what a getter or a toJSON throws.
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  const encoder = idle ?? new Encoder();
  idle = undefined; // a getter or a toJSON may turn the event loop, in which others encode
  const encoded = encoder.encode(value);
  if (encoder.capacity <= MAX_KEPT) idle = encoder;
  return encoded;
}

interface RawJson {
  rawJSON: string;
}

/** An index stays a number until a toJSON wants its text. */
type Key = string | number;

/** Methods that return a boolean say whether the value is something: nothing is written for a function. */
class Encoder {
  capacity: number = INITIAL_SIZE;
  #bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
  #view: DataView = dataViewOf(this.#bytes);
  /** Bytes written. */
  #end = 0;

  encode(value: unknown): Uint8Array {
    this.#end = 0;
    return this.#value(value, "", 0) ? copyBytes(this.#bytes, 0, this.#end) : EMPTY;
  }

  #value(value: unknown, key: Key, depth: number): boolean {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return this.#number(value);
      case "boolean":
        return this.#byte(value ? 0xc3 : 0xc2);
      case "bigint":
        return this.#bigInt(value, key, depth);
      case "object":
      case "function":
        break;
      default:
        return false;
    }
    if (value === null) return this.#byte(0xc0);
    const toJson = toJsonOf(value);
    if (toJson) return this.#json(apply(toJson, value, [`${key}`]), key, depth);
    // A function is nothing, as in JSON, unless it says otherwise.
    return typeof value === "object" && this.#content(value, key, depth);
  }

  /** What a toJSON gave: asked no further, as JSON.stringify does. */
  #json(json: unknown, key: Key, depth: number): boolean {
    if (typeof json === "object" && json !== null) return this.#content(json, key, depth);
    return typeof json !== "function" && this.#value(json, key, depth);
  }

  #content(value: object, key: Key, depth: number): boolean {
    if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
    if (isArray(value)) return this.#list(value, depth);
    if (hasPlainPrototype(value)) return this.#properties(value, depth); // which nearly all others are
    if (isView(value)) return this.#binary(value.buffer, value.byteOffset, value.byteLength);
    if (isAnyArrayBuffer(value)) return this.#binary(value);
    if (isDate(value)) return this.#date(timeOf(value));
    if (isMap(value)) return this.#entries(value, depth);
    if (isSet(value)) return this.#list(membersOf(value), depth);
    if (isBoxedPrimitive(value)) return this.#boxed(value, key, depth);
    if (isRawJson(value))
      return this.#json(parse((value as unknown as RawJson).rawJSON), key, depth);
    return this.#properties(value, depth);
  }

  /** A toJSON or a getter inside may change the list: its length counts as it was. */
  #list(list: readonly unknown[], depth: number): boolean {
    const length = list.length >>> 0;
    this.#head(length, 0x90, 0xdc);
    for (let i = 0; i < length; i++) if (!this.#value(list[i], i, depth + 1)) this.#byte(0xc0);
    return true;
  }

  /** Own enumerable properties that are something. */
  #properties(value: object, depth: number): boolean {
    const from = value as Record<string, unknown>;
    const keys = ownKeys(from);
    const { length } = keys;
    const start = this.#end;
    this.#head(length, 0x80, 0xde);
    let count = 0;
    for (let i = 0; i < length; i++) {
      const key = keys[i] as string;
      const before = this.#end;
      this.#text(key);
      if (this.#value(from[key], key, depth + 1)) count += 1;
      else this.#end = before;
    }
    if (count !== length) this.#recount(start, length, count);
    return true;
  }

  #entries(map: ReadonlyMap<unknown, unknown>, depth: number): boolean {
    const expected = entryCount(map);
    const start = this.#end;
    this.#head(expected, 0x80, 0xde);
    let count = 0; // a toJSON may add entries, or delete some
    eachEntry(map, (item, key) => {
      if (!this.#value(key, "", depth + 1)) {
        throw new TypeError("a Map has a key that has no form as data");
      }
      if (!this.#value(item, "", depth + 1)) this.#byte(0xc0);
      count += 1;
    });
    if (count !== expected) this.#recount(start, expected, count);
    return true;
  }

  /** Writes anew how many entries a map has, and moves those where that takes another number of bytes. */
  #recount(start: number, expected: number, count: number): void {
    const from = start + headSize(expected);
    const to = start + headSize(count);
    this.#reserve(to - from);
    copyWithin(this.#bytes, to, from, this.#end);
    const end = this.#end + to - from;
    this.#end = start;
    this.#head(count, 0x80, 0xde);
    this.#end = end;
  }

  /** As JSON does: text and numbers are asked for what they are, others are what they were made of. */
  #boxed(value: object, key: Key, depth: number): boolean {
    if (isStringObject(value)) return this.#text(`${value}`);
    if (isNumberObject(value)) return this.#number(+value);
    if (isSymbolObject(value)) return this.#properties(value, depth);
    const content = isBigIntObject(value) ? bigIntOf : booleanOf;
    return this.#value(apply(content, value, []), key, depth);
  }

  #text(text: string): boolean {
    const { length } = text;
    if (length >= SHORT) return this.#longText(text);
    this.#reserve(2 + SHORT);
    const bytes = this.#bytes;
    let end = this.#end + (length < 32 ? 1 : 2);
    for (let i = 0; i < length; i++) {
      const unit = unitAt(text, i);
      if (unit >= 0x80) return this.#longText(text);
      bytes[end] = unit;
      end += 1;
    }
    this.#textHead(length);
    this.#end = end;
    return true;
  }

  /** Buffer writes U+FFFD for halves of surrogate pairs. */
  #longText(text: string): boolean {
    const size = Buffer.byteLength(text);
    this.#reserve(5 + size);
    this.#textHead(size);
    this.#end += writeText(this.#bytes, text, this.#end);
    return true;
  }

  #textHead(size: number): void {
    if (size < 32) this.#byte(0xa0 | size);
    else this.#lengthHead(size, 0xd9);
  }

  #binary(buffer: ArrayBufferLike, offset?: number, length?: number): boolean {
    const bytes = Buffer.from(buffer as ArrayBuffer, offset, length);
    const size = sizeOf(bytes);
    this.#reserve(5 + size);
    this.#lengthHead(size, 0xc4);
    setBytes(this.#bytes, bytes, this.#end);
    this.#end += size;
    return true;
  }

  /** A lead for lengths of 8, 16 or 32 bits, and the length. */
  #lengthHead(length: number, lead: number): void {
    if (length > 0xff) {
      this.#wideHead(length, lead + 1);
    } else {
      this.#byte(lead);
      this.#byte(length);
    }
  }

  /** The head of a list or map: its length in the lead, or in 16 or 32 bits after it. */
  #head(length: number, short: number, lead: number): void {
    if (length < 16) this.#byte(short | length);
    else this.#wideHead(length, lead);
  }

  #wideHead(length: number, lead: number): void {
    if (length > 0xffff) {
      this.#byte(lead + 1);
      this.#word(length);
    } else {
      this.#byte(lead);
      this.#byte(length >>> 8);
      this.#byte(length);
    }
  }

  /** By the shortest form; -0 is 0, as in JSON. */
  #number(value: number): boolean {
    if (value >>> 0 === value) this.#natural(value);
    else if (value >> 0 === value) this.#negative(value);
    else if (isSafeInteger(value)) this.#wideInteger(value);
    else this.#float(value);
    return true;
  }

  #natural(value: number): void {
    if (value < 0x80) this.#byte(value);
    else this.#lengthHead(value, 0xcc); // written as a length is
  }

  #negative(value: number): void {
    if (value < -0x8000) {
      this.#byte(0xd2);
      this.#word(value);
      return;
    }
    if (value < -0x80) {
      this.#byte(0xd1);
      this.#byte(value >> 8);
    } else if (value < -0x20) {
      this.#byte(0xd0);
    }
    this.#byte(value);
  }

  #wideInteger(value: number): void {
    this.#byte(0xd3);
    this.#word(floor(value / 0x100000000));
    this.#word(value);
  }

  #float(value: number): void {
    this.#byte(0xcb);
    this.#reserve(8);
    setFloat64(this.#view, this.#end, value);
    this.#end += 8;
  }

  #bigInt(value: bigint, key: Key, depth: number): boolean {
    const signed = asIntN(64, value) === value;
    if (!signed && asUintN(64, value) !== value) return this.#wideBigInt(value, key, depth);
    this.#byte(signed ? 0xd3 : 0xcf);
    this.#reserve(8);
    const set = signed ? setBigInt64 : setBigUint64;
    set(this.#view, this.#end, value);
    this.#end += 8;
    return true;
  }

  #wideBigInt(value: bigint, key: Key, depth: number): boolean {
    const { toJSON } = value as { toJSON?: ToJson };
    if (typeof toJSON !== "function") throw new RangeError("BigInt over 64 bits");
    return this.#json(apply(toJSON, value, [`${key}`]), key, depth);
  }

  /** A timestamp of 32, 64 or 96 bits, from milliseconds since 1970; null for an invalid date. */
  #date(time: number): boolean {
    if (isNotANumber(time)) return this.#byte(0xc0);
    const seconds = floor(time / 1000);
    const nanoseconds = (time - seconds * 1000) * 1_000_000;
    const high = floor(seconds / 0x100000000);
    if (high < 0 || high > 3) {
      this.#byte(0xc7);
      this.#byte(12);
      this.#byte(0xff);
      this.#word(nanoseconds);
      this.#word(high);
    } else if (high > 0 || nanoseconds > 0) {
      this.#byte(0xd7);
      this.#byte(0xff);
      this.#word(nanoseconds * 4 + high);
    } else {
      this.#byte(0xd6);
      this.#byte(0xff);
    }
    return this.#word(seconds);
  }

  /** 32 bits: the lowest of the value. */
  #word(value: number): true {
    this.#reserve(4);
    setUint32(this.#view, this.#end, value);
    this.#end += 4;
    return true;
  }

  #byte(byte: number): true {
    this.#reserve(1);
    this.#bytes[this.#end] = byte;
    this.#end += 1;
    return true;
  }

  #reserve(size: number): void {
    if (this.#end + size > this.capacity) this.#grow(this.#end + size);
  }

  #grow(needed: number): void {
    while (this.capacity < needed) this.capacity *= 2;
    const bytes = Buffer.allocUnsafeSlow(this.capacity);
    setBytes(bytes, this.#bytes, 0);
    this.#bytes = bytes;
    this.#view = dataViewOf(bytes);
  }
}

type ToJson = (key: string) => unknown;

/** The toJSON that counts: none that all values share, nor where MessagePack has a type and it would make text or a list. */
function toJsonOf(value: object): ToJson | undefined {
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== "function") return undefined;
  if (toJSON === nativeDateToJson && isDate(value)) return undefined;
  if (toJSON === nativeBufferToJson && isView(value)) return undefined;
  return isShared(toJSON) ? undefined : (toJSON as ToJson);
}

function isShared(toJson: unknown): boolean {
  return someItem(
    sharedPrototypes,
    (prototype) => getOwnPropertyDescriptor(prototype, "toJSON")?.value === toJson,
  );
}

/** True for what is no Date, Map and so on, unless somebody has changed what it inherits from. */
function hasPlainPrototype(value: object): boolean {
  try {
    return getPrototypeOf(value) === objectPrototype;
  } catch {
    return false; // a Proxy's trap
  }
}

/** Bytes of a list's or map's head. */
function headSize(length: number): number {
  if (length < 16) return 1;
  return length > 0xffff ? 5 : 3;
}
