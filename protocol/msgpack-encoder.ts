import { Buffer as NodeBuffer } from "node:buffer";
import { types } from "node:util";
import { bytesOf } from "./bytes.ts";
import { MAX_DEPTH } from "./depth.ts";
import { someItem } from "./list.ts";
import { Buffer, eachEntry, entryCount, membersOf, timeOf } from "./methods.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

const { isArray } = Array;
const { isView } = ArrayBuffer;
const {
  isBigIntObject,
  isBoxedPrimitive,
  isDate,
  isMap,
  isNumberObject,
  isSet,
  isStringObject,
  isSymbolObject,
} = types;
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

/** Most bytes of room that are kept for the next value. */
const MAX_KEPT_ROOM = 0x400000;
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
  // What throws leaves an encoder in no good state, and a getter or a toJSON may turn the event loop, in which others encode.
  idle = undefined;
  const encoded = encoder.encode(value);
  if (encoder.capacity <= MAX_KEPT_ROOM) idle = encoder;
  return encoded;
}

interface RawJson {
  rawJSON: string;
}

/** An index stays a number until a toJSON wants its text. */
type Key = string | number;

/** Methods that return a boolean say whether the value is something: nothing is written for a function. */
class Encoder {
  readonly #out = new MsgpackWriter();

  encode(value: unknown): Uint8Array {
    this.#out.cut(0);
    return this.#value(value, "", 0) ? this.#out.written() : EMPTY;
  }

  get capacity(): number {
    return this.#out.capacity;
  }

  #value(value: unknown, key: Key, depth: number): boolean {
    switch (typeof value) {
      case "string":
        return this.#out.text(value);
      case "number":
        return this.#out.number(value);
      case "boolean":
        return this.#out.boolean(value);
      case "bigint":
        return fits(value) ? this.#out.bigInt(value) : this.#wideBigInt(value, key, depth);
      case "object":
      case "function":
        break;
      default:
        return false;
    }
    if (value === null) return this.#out.nil();
    const toJson = toJsonOf(value);
    if (toJson) return this.#json(apply(toJson, value, [`${key}`]), key, depth);
    // A function is nothing, as in JSON, unless it says otherwise.
    return typeof value === "object" && this.#content(value, key, depth);
  }

  /** What a toJSON gave: asked no further, as JSON.stringify does. */
  #json(json: unknown, key: Key, depth: number): boolean {
    if (typeof json === "bigint") return this.#bigInt(json);
    if (typeof json === "object" && json !== null) return this.#content(json, key, depth);
    return typeof json !== "function" && this.#value(json, key, depth);
  }

  #content(value: object, key: Key, depth: number): boolean {
    if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
    if (isArray(value)) return this.#list(value, depth);
    if (hasPlainPrototype(value)) return this.#properties(value, depth); // which nearly all others are
    const bytes = bytesOf(value);
    if (bytes) return this.#out.binary(bytes);
    if (isDate(value)) return this.#out.date(timeOf(value));
    if (isMap(value)) return this.#entries(value, depth);
    if (isSet(value)) return this.#list(membersOf(value), depth);
    if (isBoxedPrimitive(value)) return this.#boxed(value, depth);
    if (isRawJson(value))
      return this.#json(parse((value as unknown as RawJson).rawJSON), key, depth);
    return this.#properties(value, depth);
  }

  /** A toJSON or a getter inside may change the list: its length counts as it was. */
  #list(list: readonly unknown[], depth: number): boolean {
    const length = lengthOf(list);
    this.#out.list(length);
    for (let i = 0; i < length; i++) if (!this.#value(list[i], i, depth + 1)) this.#out.nil();
    return true;
  }

  /** Own enumerable properties that are something. */
  #properties(value: object, depth: number): boolean {
    const from = value as Record<string, unknown>;
    const keys = ownKeys(from);
    const { length } = keys;
    const start = this.#out.end;
    this.#out.map(length);
    let count = 0;
    for (let i = 0; i < length; i++) {
      const key = keys[i] as string;
      const before = this.#out.end;
      this.#out.text(key);
      if (this.#value(from[key], key, depth + 1)) count += 1;
      else this.#out.cut(before);
    }
    if (count !== length) this.#out.recount(start, length, count);
    return true;
  }

  #entries(map: ReadonlyMap<unknown, unknown>, depth: number): boolean {
    const expected = entryCount(map);
    const start = this.#out.end;
    this.#out.map(expected);
    let count = 0; // a toJSON may add entries, or delete some
    eachEntry(map, (item, key) => {
      if (!this.#value(key, "", depth + 1)) {
        throw new TypeError("a Map has a key that has no form as data");
      }
      if (!this.#value(item, "", depth + 1)) this.#out.nil();
      count += 1;
    });
    if (count !== expected) this.#out.recount(start, expected, count);
    return true;
  }

  /** As JSON does: text and numbers are asked for what they are, others are what they were made of. */
  #boxed(value: object, depth: number): boolean {
    if (isStringObject(value)) return this.#out.text(`${value}`);
    if (isNumberObject(value)) return this.#out.number(+value);
    if (isSymbolObject(value)) return this.#properties(value, depth);
    if (isBigIntObject(value)) return this.#bigInt(apply(bigIntOf, value, []) as bigint);
    return this.#out.boolean(apply(booleanOf, value, []) as boolean);
  }

  #wideBigInt(value: bigint, key: Key, depth: number): boolean {
    const { toJSON } = value as { toJSON?: ToJson };
    if (typeof toJSON !== "function") return this.#bigInt(value);
    return this.#json(apply(toJSON, value, [`${key}`]), key, depth);
  }

  #bigInt(value: bigint): boolean {
    if (!fits(value)) throw new RangeError("BigInt over 64 bits");
    return this.#out.bigInt(value);
  }
}

function fits(value: bigint): boolean {
  return asIntN(64, value) === value || asUintN(64, value) === value;
}

/** As JSON.stringify takes it, whatever a Proxy says. */
function lengthOf(list: readonly unknown[]): number {
  const { length } = list;
  if (length > 0xffffffff) throw new RangeError("a list of more than 4294967295 items");
  return length > 0 ? floor(length) : 0;
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
