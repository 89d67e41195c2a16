import { types } from "node:util";
import { MAX_DEPTH } from "./depth.ts";

const { isArray } = Array;
const { isBigIntObject, isMap, isSet } = types;
const { keys: ownKeys } = Object;
const { apply } = Reflect;
/** Values looked at before the search gives up. */
const MAX_LOOKED_AT = 1_000_000;
/** Types that become nothing, by what `typeof` calls them. */
const FORMLESS: Readonly<Record<string, string>> = {
  undefined: "undefined",
  function: "a function",
  symbol: "a symbol",
};
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
    return `${root} is nested too deeply, or has a toJSON without end: expected at most ${MAX_DEPTH} levels`;
  }
  return `${root} can't be encoded as ${codec}: ${message}`;
}

class Search {
  readonly #codec: "json" | "msgpack";
  /** The objects above the one being looked at, with their paths. */
  readonly #above = new Map<unknown, string>();
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
      return `${path.slice(0, 120)}… is nested deeper than ${MAX_DEPTH} levels`;
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
    const fits = BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value;
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
        : this.look(json.value, `${path}.toJSON()`, key, depth + 1);
    }
    if (this.#codec === "msgpack" && (isMap(value) || isSet(value))) {
      return this.#lookAtEntries(value, path, depth);
    }
    return this.#lookAtProperties(value, path, depth);
  }

  #lookAtKeys(map: ReadonlyMap<unknown, unknown>, path: string): string | undefined {
    for (const key of map.keys()) {
      const what = FORMLESS[typeof key];
      if (what)
        return `${path} has a key that is ${what}, which has no form as data: use text or a number`;
    }
    return undefined;
  }

  #lookAtEntries(value: Iterable<unknown>, path: string, depth: number): string | undefined {
    const key = isMap(value) ? this.#lookAtKeys(value, path) : undefined;
    if (key) return key;
    let index = 0;
    for (const entry of value) {
      const found = this.look(entry, `${path}[${index}]`, "", depth + 1);
      if (found) return found;
      index += 1;
    }
    return undefined;
  }

  #lookAtProperties(value: object, path: string, depth: number): string | undefined {
    const keys = attempt(depth, () => ownKeys(value));
    if (keys.failed) return `${path} threw when its keys were read: ${keys.reason}`;
    for (const key of keys.value) {
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
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `.${key}`
    : `[${JSON.stringify(key)}]`;
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return "an error that can't be read";
  }
}
