import { types } from "node:util";
import { MAX_DEPTH } from "./depth.ts";
import { append } from "./list.ts";
import { eachEntry, matches, membersOf, sliceText } from "./methods.ts";
import { SafeMap } from "./shielded.ts";

const { isArray } = Array;
const { isBigIntObject, isMap, isSet } = types;
const { keys: ownKeys } = Object;
const { apply } = Reflect;
const { asIntN, asUintN } = BigInt;
const { stringify } = JSON;
/** Values looked at before the search gives up. */
const MAX_LOOKED_AT = 1_000_000;
/** Types that become nothing, by what `typeof` calls them. */
const FORMLESS: Readonly<Record<string, string>> = {
  undefined: "undefined",
  function: "a function",
  symbol: "a symbol",
};
/** Levels that every implementation must manage. */
const SURE_DEPTH = 1_000;
/** Levels that no stack is too small for. */
const DEEP = 200;
const STACK_IS_FULL = "Maximum call stack size exceeded";

/**
 * Says why a value could not be encoded and where in it, after its encoder threw `error`. Slow: it walks the value.
 * Never throws.
 */
export function describeProblem(
  value: unknown,
  codec: "json" | "msgpack",
  root: string,
  error: unknown,
): string {
  try {
    const found = new Search(codec).look(value, root, "", 0);
    if (found) return found;
  } catch {
    // The value defends itself against being walked, or is too deep for it; what the encoder said must do.
  }
  const message = messageOf(error);
  if (message === STACK_IS_FULL) {
    return `${root} is nested too deeply for the stack that is left: ${SURE_DEPTH} always have room, more than ${MAX_DEPTH} levels are never taken`;
  }
  return `${root} can't be encoded as ${codec}: ${message}`;
}

type MapOrSet = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>;

function entriesOf(value: MapOrSet): unknown[] {
  if (isSet(value)) return membersOf(value);
  const entries: unknown[] = [];
  eachEntry(value as ReadonlyMap<unknown, unknown>, (item, key) => append(entries, [key, item]));
  return entries;
}

class Search {
  readonly #codec: "json" | "msgpack";
  /** The objects above the one being looked at, with their paths. */
  readonly #above = new SafeMap<unknown, string>();
  #left = MAX_LOOKED_AT;

  constructor(codec: "json" | "msgpack") {
    this.#codec = codec;
  }

  look(value: unknown, path: string, key: string, depth: number): string | undefined {
    this.#left -= 1;
    if (this.#left < 0) return undefined;
    if (typeof value === "bigint") return this.#lookAtBigInt(value, path);
    if (typeof value !== "object" || value === null) return undefined;
    if (isBigIntObject(value)) return this.#lookAtBigInt(value.valueOf(), path);
    const above = this.#above.get(value);
    if (above !== undefined) return `${path} is ${above} again: a cycle has no form as data`;
    if (depth >= MAX_DEPTH) {
      return `${sliceText(path, 0, 120)}… is nested deeper than ${MAX_DEPTH} levels`;
    }
    this.#above.set(value, path);
    const found = this.#lookInside(value, path, key, depth);
    this.#above.delete(value);
    return found;
  }

  #lookAtBigInt(value: bigint, path: string): string | undefined {
    if (typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined;
    if (this.#codec === "json") {
      return `${path} is a BigInt, which JSON can't say: make it a string or a number, or use the msgpack codec`;
    }
    const fits = asIntN(64, value) === value || asUintN(64, value) === value;
    return fits ? undefined : `${path} is a BigInt of more than 64 bits: make it a string`;
  }

  #lookInside(value: object, path: string, key: string, depth: number): string | undefined {
    const toJson = attempt(depth, () => (value as { toJSON?: unknown }).toJSON);
    if (toJson.failed) return `${path}.toJSON threw: ${toJson.reason}`;
    if (typeof toJson.value === "function" && !isArray(value)) {
      const json = attempt(depth, () => apply(toJson.value as () => unknown, value, [key]));
      if (json.failed) return `${path}.toJSON() threw: ${json.reason}`;
      return json.value === value
        ? this.#lookAtProperties(value, path, depth)
        : this.#lookAtJson(json.value, `${path}.toJSON()`, key, depth + 1);
    }
    return this.#lookAtContent(value, path, depth);
  }

  /** What a toJSON gave is not asked for another. */
  #lookAtJson(json: unknown, path: string, key: string, depth: number): string | undefined {
    if (typeof json !== "object" || json === null || depth >= MAX_DEPTH) {
      return this.look(json, path, key, depth);
    }
    return this.#lookAtContent(json, path, depth);
  }

  #lookAtContent(value: object, path: string, depth: number): string | undefined {
    if (this.#codec === "msgpack" && (isMap(value) || isSet(value))) {
      return this.#lookAtEntries(value, path, depth);
    }
    return this.#lookAtProperties(value, path, depth);
  }

  #lookAtKeys(map: ReadonlyMap<unknown, unknown>, path: string): string | undefined {
    let found: string | undefined;
    eachEntry(map, (_value, key) => {
      found ??= FORMLESS[typeof key];
    });
    return (
      found && `${path} has a key that is ${found}, which has no form as data: use text or a number`
    );
  }

  #lookAtEntries(value: MapOrSet, path: string, depth: number): string | undefined {
    const key = isMap(value) ? this.#lookAtKeys(value, path) : undefined;
    if (key) return key;
    const entries = entriesOf(value);
    for (let i = 0; i < entries.length; i++) {
      const found = this.look(entries[i], `${path}[${i}]`, "", depth + 1);
      if (found) return found;
    }
    return undefined;
  }

  #lookAtProperties(value: object, path: string, depth: number): string | undefined {
    const keys = attempt(depth, () => ownKeys(value));
    if (keys.failed) return `${path} threw when its keys were read: ${keys.reason}`;
    for (let i = 0; i < keys.value.length; i++) {
      const key = keys.value[i] as string;
      const at = path + segment(key, isArray(value));
      const item = attempt(depth, () => (value as Record<string, unknown>)[key]);
      if (item.failed) return `${at} threw when read: ${item.reason}`;
      const found = this.look(item.value, at, key, depth + 1);
      if (found) return found;
    }
    return undefined;
  }
}

type Attempt<T> = { failed: false; value: T } | { failed: true; reason: string };

function attempt<T>(depth: number, read: () => T): Attempt<T> {
  try {
    return { failed: false, value: read() };
  } catch (error) {
    // So deep inside it is this search that has filled the stack.
    if (depth > DEEP && error instanceof RangeError) throw error;
    return { failed: true, reason: messageOf(error) };
  }
}

function segment(key: string, inArray: boolean): string {
  if (inArray) return `[${key}]`;
  return matches(/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u, key) ? `.${key}` : `[${stringify(key)}]`;
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return "an error that can't be read";
  }
}
