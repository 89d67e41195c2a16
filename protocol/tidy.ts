import { Buffer as NodeBuffer } from "node:buffer";
import { types } from "node:util";
import { MAX_DEPTH } from "./depth.ts";
import { sliceList, someItem } from "./list.ts";
import { Buffer, eachEntry, membersOf, setEntry, timeOf } from "./methods.ts";

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
const { apply } = Reflect;
const { create, getOwnPropertyDescriptor, getPrototypeOf, keys: ownKeys, is } = Object;
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

/**
 * Turns a value into what MessagePack can say, by JSON's rules where JSON has one (toJSON, own enumerable properties,
 * nothing for functions) and beyond them where MessagePack has a type. Returns the value itself if nothing must change.
 * Throws a RangeError for a BigInt over 64 bits and for more than MAX_DEPTH levels, a TypeError for a Map's key that
 * becomes nothing, as a function does: leaving out the entry would lose its value.
 */
export function tidy(value: unknown): unknown {
  return tidyAt(value, "", 0);
}

/** An index stays a number until a toJSON wants its text. */
type Key = string | number;

function tidyAt(value: unknown, key: Key, depth: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return (value > 0xffffffff || value < -0x80000000) && isSafeInteger(value)
        ? BigInt(value)
        : value;
    case "bigint":
      return tidyBigInt(value, key);
    case "object":
    case "function":
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  const toJson = toJsonOf(value);
  if (toJson) return tidyJson(apply(toJson, value, [`${key}`]), key, depth);
  // A function is nothing, as in JSON, unless it says otherwise.
  return typeof value === "object" ? tidyContent(value, key, depth) : undefined;
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

/** What a toJSON gave: asked no further, as JSON.stringify does. */
function tidyJson(json: unknown, key: Key, depth: number): unknown {
  if (typeof json === "object" && json !== null) return tidyContent(json, key, depth);
  return typeof json === "function" ? undefined : tidyAt(json, key, depth);
}

function tidyBigInt(value: bigint, key: Key): unknown {
  if (asIntN(64, value) === value || asUintN(64, value) === value) return value;
  const { toJSON } = value as { toJSON?: (key: string) => unknown };
  if (typeof toJSON === "function") return apply(toJSON, value, [`${key}`]);
  throw new RangeError("BigInt over 64 bits");
}

function tidyContent(value: object, key: Key, depth: number): unknown {
  if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (isArray(value)) return tidyArray(value, depth);
  if (hasPlainPrototype(value)) return tidyProperties(value, depth); // which nearly all others are
  if (isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (isAnyArrayBuffer(value)) return Buffer.from(value as ArrayBuffer);
  if (isDate(value)) return tidyDate(value);
  if (isMap(value)) return tidyMap(value, depth);
  if (isSet(value)) return tidyArray(membersOf(value), depth);
  if (isBoxedPrimitive(value)) return tidyBoxed(value, key, depth);
  if (isRawJson(value)) return tidyAt(parse((value as { rawJSON: string }).rawJSON), key, depth);
  return tidyProperties(value, depth);
}

/** As JSON does: text and numbers are asked for what they are, others are what they were made of. */
function tidyBoxed(value: object, key: Key, depth: number): unknown {
  if (isStringObject(value)) return tidyAt(`${value}`, key, depth);
  if (isNumberObject(value)) return tidyAt(+value, key, depth);
  if (isSymbolObject(value)) return tidyProperties(value, depth);
  const content = isBigIntObject(value) ? bigIntOf : booleanOf;
  return tidyAt(apply(content, value, []), key, depth);
}

function tidyDate(date: Date): Date | null {
  return isNotANumber(timeOf(date)) ? null : date;
}

function isShared(toJson: unknown): boolean {
  return someItem(
    sharedPrototypes,
    (prototype) => getOwnPropertyDescriptor(prototype, "toJSON")?.value === toJson,
  );
}

/** A toJSON or a getter inside may change the list: its length counts as it was. */
function tidyArray(list: readonly unknown[], depth: number): unknown {
  const { length } = list;
  let copy: unknown[] | undefined = list.constructor === Array ? undefined : [];
  for (let i = 0; i < length; i++) {
    const item = list[i];
    const tidied = tidyAt(item, i, depth + 1) ?? null;
    if (copy === undefined) {
      if (tidied === item || is(tidied, item)) continue;
      copy = sliceList(list, 0, i);
    }
    copy[i] = tidied;
  }
  return copy ?? (list.length === length ? list : sliceList(list, 0, length));
}

function tidyMap(map: Map<unknown, unknown>, depth: number): unknown {
  const copy = new Map<unknown, unknown>();
  eachEntry(map, (item, key) => {
    const tidied = tidyAt(key, "", depth + 1);
    if (tidied === undefined) throw new TypeError("a Map has a key that has no form as data");
    setEntry(copy, tidied, tidyAt(item, "", depth + 1) ?? null);
  });
  return copy;
}

/** Own enumerable properties, as a plain object without a prototype where any of them must change or go. */
function tidyProperties(value: object, depth: number): unknown {
  const from = value as Record<string, unknown>;
  const keys = ownKeys(from);
  let copy: Record<string, unknown> | undefined = isPlain(value) ? undefined : create(null);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? "";
    const item = from[key];
    const tidied = tidyAt(item, key, depth + 1);
    if (copy === undefined) {
      if ((tidied === item || is(tidied, item)) && tidied !== undefined) continue;
      copy = copyOf(from, keys, i);
    }
    if (tidied !== undefined) copy[key] = tidied;
  }
  return copy ?? withoutLateKeys(from, keys);
}

/** A getter may have added a key, which msgpackr would find. */
function withoutLateKeys(from: Record<string, unknown>, keys: readonly string[]): unknown {
  return ownKeys(from).length === keys.length ? from : copyOf(from, keys, keys.length);
}

function copyOf(
  from: Record<string, unknown>,
  keys: readonly string[],
  count: number,
): Record<string, unknown> {
  const copy: Record<string, unknown> = create(null);
  for (let i = 0; i < count; i++) copy[keys[i] ?? ""] = from[keys[i] ?? ""];
  return copy;
}

/** True for what is no Date, Map and so on, unless somebody has changed what it inherits from. */
function hasPlainPrototype(value: object): boolean {
  try {
    return getPrototypeOf(value) === objectPrototype;
  } catch {
    return false; // a Proxy's trap
  }
}

/** True for what msgpackr takes for a plain object by itself. */
function isPlain(value: object): boolean {
  return value.constructor === Object;
}
