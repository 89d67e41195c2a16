import { types } from "node:util";
import { MAX_DEPTH } from "./depth.ts";
import { sliceList, someItem } from "./list.ts";
import { Buffer, eachEntry, matches, membersOf, readText, setEntry, timeOf } from "./methods.ts";

const { isArray } = Array;
const { isView } = ArrayBuffer;
const { isAnyArrayBuffer, isBoxedPrimitive, isDate, isMap, isSet } = types;
const { isNaN: isNotANumber, isSafeInteger } = Number;
const { asIntN, asUintN } = BigInt;
const { apply } = Reflect;
const { create, getOwnPropertyDescriptor, keys: ownKeys, is } = Object;
const sharedPrototypes: readonly object[] = [Object.prototype, Array.prototype];
const nativeDateToJson = Date.prototype.toJSON;

/**
 * Turns a value into what MessagePack can say, by JSON's rules where JSON has one (toJSON, own enumerable properties,
 * nothing for functions) and beyond them where MessagePack has a type. Returns the value itself if nothing must change.
 * Throws a RangeError for a BigInt over 64 bits and for more than MAX_DEPTH levels, a TypeError for a Map's key that
 * becomes nothing, as a function does: leaving out the entry would lose its value.
 */
export function tidy(value: unknown): unknown {
  return tidyAt(value, "", 0);
}

function tidyAt(value: unknown, key: string, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return value.length < SHORT && hasLoneSurrogate(value) ? wellFormed(value) : value;
    case "number":
      return isSafeInteger(value) && (value > 0xffffffff || value < -0x80000000)
        ? BigInt(value)
        : value;
    case "bigint":
      return tidyBigInt(value, key);
    case "object":
      return value === null ? null : tidyObject(value, key, depth);
    case "boolean":
      return value;
    default:
      return undefined;
  }
}

/** msgpackr encodes shorter strings itself, surrogates and all; longer ones through Buffer, which replaces them. */
const SHORT = 0x40;
const LONE_SURROGATE = /\p{Surrogate}/u;

function hasLoneSurrogate(text: string): boolean {
  return matches(LONE_SURROGATE, text);
}

function wellFormed(text: string): string {
  return readText(Buffer.from(text));
}

function tidyBigInt(value: bigint, key: string): unknown {
  if (asIntN(64, value) === value || asUintN(64, value) === value) return value;
  const { toJSON } = value as { toJSON?: (key: string) => unknown };
  if (typeof toJSON === "function") return apply(toJSON, value, [key]);
  throw new RangeError("BigInt over 64 bits");
}

function tidyObject(value: object, key: string, depth: number): unknown {
  if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (isAnyArrayBuffer(value)) return Buffer.from(value as ArrayBuffer);
  if (isArray(value) && value.constructor === Array) return tidyArray(value, depth);
  const { toJSON } = value as { toJSON?: (key: string) => unknown };
  if (isDate(value) && toJSON === nativeDateToJson) return tidyDate(value);
  if (typeof toJSON === "function" && !isShared(toJSON)) {
    const json = apply(toJSON, value, [key]);
    return json === value ? tidyProperties(value, depth) : tidyAt(json, key, depth + 1);
  }
  if (isArray(value)) return tidyArray(value, depth);
  if (isMap(value)) return tidyMap(value, depth);
  if (isSet(value)) return tidyArray(membersOf(value), depth);
  if (isBoxedPrimitive(value)) return tidyAt(value.valueOf(), key, depth);
  return tidyProperties(value, depth);
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

function tidyArray(list: readonly unknown[], depth: number): unknown {
  let copy: unknown[] | undefined = list.constructor === Array ? undefined : sliceList(list, 0);
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    const tidied = tidyAt(item, "", depth + 1) ?? null;
    if (is(tidied, item)) continue;
    copy ??= sliceList(list, 0);
    copy[i] = tidied;
  }
  return copy ?? list;
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
    const cleanKey = key.length < SHORT && hasLoneSurrogate(key) ? wellFormed(key) : key;
    if (copy === undefined) {
      if (is(tidied, item) && tidied !== undefined && cleanKey === key) continue;
      copy = copyOf(from, keys, i);
    }
    if (tidied !== undefined) copy[cleanKey] = tidied;
  }
  return copy ?? value;
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

/** True for what msgpackr takes for a plain object by itself. */
function isPlain(value: object): boolean {
  return value.constructor === Object;
}
