import { types } from "node:util";
import { mapList, sliceList } from "./list.ts";
import { isoText, sliceText, timeOf } from "./methods.ts";
import { SafeSet } from "./shielded.ts";

/** What is left for the fields and values of one error, its causes and its errors together. */
export interface FieldBudget {
  /** Characters of text. */
  text: number;
  /** Entries of objects and lists. */
  entries: number;
  /** True once anything was left out. */
  truncated: boolean;
  /** The objects around the one being described. */
  readonly around: Set<unknown>;
}

const MAX_TEXT = 32_768;
const MAX_ENTRIES = 1_024;
const MAX_WIDTH = 64;
const MAX_LEVELS = 4;
const MAX_KEY = 256;

const { isArray } = Array;
const { isView } = ArrayBuffer;
const { isAnyArrayBuffer, isDate, isMap, isSet, isNativeError } = types;
const { create, keys: ownKeys } = Object;
const { isFinite: isFiniteNumber, isNaN: isNotANumber } = Number;
const { max, min } = Math;
const { apply } = Reflect;

/** A full budget: 1,024 entries, and so many characters. */
export function newFieldBudget(text: number = MAX_TEXT): FieldBudget {
  return { text, entries: MAX_ENTRIES, truncated: false, around: new SafeSet() };
}

/** Reads a property; a getter or trap that throws reads as `undefined`. */
export function readProperty(from: object, key: string): unknown {
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** A property as JSON data. What JSON has no form for becomes text that describes it, such as `[BigInt 12]`. */
export function describeField(from: object, key: string, budget: FieldBudget): unknown {
  return describeAt(from, key, budget, 1);
}

function describeAt(from: object, key: string, budget: FieldBudget, level: number): unknown {
  try {
    return describe((from as Record<string, unknown>)[key], key, budget, level);
  } catch (error) {
    return spend(`[Throws: ${messageOf(error)}]`, budget);
  }
}

function describe(value: unknown, key: string, budget: FieldBudget, level: number): unknown {
  switch (typeof value) {
    case "string":
      return spend(value, budget);
    case "number":
      return isFiniteNumber(value) ? value : `[${value}]`;
    case "boolean":
      return value;
    case "bigint":
      return spend(`[BigInt ${value}]`, budget);
    case "object":
      return value === null ? null : describeObject(value, key, budget, level);
    case "function":
      return spend(`[Function ${String(readProperty(value, "name"))}]`, budget);
    case "symbol":
      return spend(`[${String(value)}]`, budget);
    default:
      return "[undefined]";
  }
}

function describeObject(value: object, key: string, budget: FieldBudget, level: number): unknown {
  if (budget.around.has(value)) return "[Circular]";
  if (isView(value) || isAnyArrayBuffer(value)) {
    return `[Bytes ${(value as ArrayBuffer).byteLength}]`;
  }
  if (isMap(value) || isSet(value)) return `[${isMap(value) ? "Map" : "Set"} ${value.size}]`;
  if (isNativeError(value)) return spend(`[${textOfError(value)}]`, budget);
  budget.around.add(value);
  try {
    const json = isDate(value) ? value : jsonOf(value, key);
    if (isDate(json)) return dateText(json);
    if (json !== value) return describe(json, key, budget, level);
    return describeEntries(value, budget, level);
  } finally {
    budget.around.delete(value);
  }
}

function describeEntries(value: object, budget: FieldBudget, level: number): unknown {
  const keys = ownKeys(value);
  if (level >= MAX_LEVELS && keys.length > 0) {
    budget.truncated = true;
    return isArray(value) ? `[Array ${value.length}]` : "[Object]";
  }
  const taken = sliceList(keys, 0, max(0, min(MAX_WIDTH, budget.entries)));
  if (taken.length < keys.length) budget.truncated = true;
  budget.entries -= taken.length;
  if (isArray(value)) return mapList(taken, (key) => describeAt(value, key, budget, level + 1));
  const described: Record<string, unknown> = create(null);
  for (let i = 0; i < taken.length; i++) {
    const key = taken[i] as string;
    described[sliceText(key, 0, MAX_KEY)] = describeAt(value, key, budget, level + 1);
  }
  return described;
}

/** What the value says of itself to JSON.stringify, or the value. */
function jsonOf(value: object, key: string): unknown {
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === "function" && !isArray(value) ? apply(toJSON, value, [key]) : value;
}

function dateText(date: Date): string {
  return isNotANumber(timeOf(date)) ? "[Invalid Date]" : isoText(date);
}

function textOfError(error: Error): string {
  return `${String(readProperty(error, "name"))}: ${String(readProperty(error, "message"))}`;
}

function spend(text: string, budget: FieldBudget): string {
  if (text.length <= budget.text) {
    budget.text -= text.length;
    return text;
  }
  const kept = sliceText(text, 0, max(0, budget.text));
  budget.text = 0;
  budget.truncated = true;
  return `${kept}…`;
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return "an error that can't be read";
  }
}
