import { EventEmitter } from "node:events";
import { endsWith, lastTextIndexOf, matches, membersOf, sliceText } from "../protocol/methods.ts";
import {
  apply,
  get,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isModuleNamespaceObject,
  isProxy,
  ownKeys,
  SafeSet,
} from "./intrinsics.ts";

/** A function and what `this` is when it is called. */
export interface Target {
  fn: (...args: unknown[]) => unknown;
  container: unknown;
}

/** What a name led to when it was no function. */
export interface Miss {
  /** `typeof` of what is there; absent when nothing is. */
  found?: string;
}

type Container = object;

const FORBIDDEN: ReadonlySet<string> = new SafeSet(["constructor", "__proto__", "prototype"]);
const objectPrototype: object = Object.prototype;
const functionPrototype: object = Function.prototype;
const emitterPrototype: object = EventEmitter.prototype;
const functionText = Function.prototype.toString;
/** Names listed at most, and levels of nesting. */
const MAX_NAMES = 1_000;
const MAX_LEVELS = 3;
/** Dots looked at in one name. */
const MAX_DOTS = 16;

/**
 * Finds what a name means among a module's exports: the whole name as one export first, then by its dots; then the same
 * in a default export. Getters run and may throw.
 */
export function findTarget(exports: unknown, name: string): Target | Miss {
  if (typeof exports === "function" && name === "default") {
    return { fn: exports as Target["fn"], container: undefined };
  }
  if (!isContainer(exports)) return {};
  const found = findIn(exports, name, MAX_DOTS);
  if ("fn" in found) return found;
  const fallback = name === "default" ? undefined : member(exports, "default");
  const inner = isContainer(fallback) ? findIn(fallback, name, MAX_DOTS) : found;
  return "fn" in inner || found.found === undefined ? inner : found;
}

function findIn(container: Container, name: string, dots: number): Target | Miss {
  const value = member(container, name);
  if (typeof value === "function") return { fn: value as Target["fn"], container };
  const miss: Miss = value === undefined ? {} : { found: value === null ? "null" : typeof value };
  if (dots === 0) return miss;
  for (let dot = lastTextIndexOf(name, "."); dot > 0; dot = lastTextIndexOf(name, ".", dot - 1)) {
    const inner = member(container, sliceText(name, 0, dot));
    if (!isContainer(inner)) continue;
    const found = findIn(inner, sliceText(name, dot + 1), dots - 1);
    if ("fn" in found) return found;
    miss.found ??= found.found as string;
  }
  return miss;
}

function isContainer(value: unknown): value is Container {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** The value of an exported name: what the container or its classes define, never what every object inherits. */
function member(container: Container, name: string): unknown {
  if (FORBIDDEN.has(name)) return undefined;
  if (isProxy(container)) return proxyMember(container, name);
  let owner: object | null = container;
  while (owner !== null) {
    if (hasOwn(owner, name)) return isRoot(owner) ? undefined : get(container, name);
    owner = getPrototypeOf(owner);
  }
  return undefined;
}

/** A Proxy answers for itself, but must not hand out what its target inherits from all objects. */
function proxyMember(proxy: Container, name: string): unknown {
  const value: unknown = get(proxy, name);
  const inherited =
    value !== undefined &&
    (value === get(objectPrototype, name) || value === get(functionPrototype, name));
  return inherited ? undefined : value;
}

/** True for Object.prototype and Function.prototype, also those of another realm. */
function isRoot(owner: object): boolean {
  if (owner === objectPrototype || owner === functionPrototype) return true;
  const above = getPrototypeOf(owner);
  const isForeignObject = above === null && hasOwn(owner, "hasOwnProperty");
  const isForeignFunction =
    typeof owner === "function" && hasOwn(owner, "bind") && hasOwn(owner, "caller");
  return isForeignObject || isForeignFunction;
}

/** Names of the exported functions, at most a thousand, three levels deep. Runs no getters but module bindings. */
export function listMethods(exports: unknown): string[] {
  const names = new SafeSet<string>();
  if (typeof exports === "function") names.add("default");
  if (!isContainer(exports)) return [];
  const seen = new SafeSet<object>();
  listIn(exports, "", 1, names, seen);
  const fallback = listable(exports, "default");
  if (isContainer(fallback)) listIn(fallback, "", 1, names, seen);
  return membersOf(names);
}

function listIn(
  container: Container,
  prefix: string,
  level: number,
  names: Set<string>,
  seen: Set<object>,
): void {
  if (seen.has(container) || isProxy(container)) return;
  seen.add(container);
  const keys = keysOf(container);
  for (let i = 0; i < keys.length && names.size < MAX_NAMES; i++) {
    const key = keys[i] as string;
    const value = listable(container, key);
    if (!isContainer(value)) continue;
    if (typeof value === "function" && !isClass(value)) names.add(prefix + key);
    const isDefault = level === 1 && key === "default";
    if (level < MAX_LEVELS && !isDefault) listIn(value, `${prefix}${key}.`, level + 1, names, seen);
  }
}

/** Own names, then those of its classes. */
function keysOf(container: Container): string[] {
  const keys = new SafeSet<string>();
  let owner: object | null = container;
  while (owner !== null && !isRoot(owner) && !isBuiltinPrototype(owner)) {
    const own = ownKeys(owner);
    for (let i = 0; i < own.length; i++) {
      const key = own[i];
      if (typeof key === "string" && !FORBIDDEN.has(key)) keys.add(key);
    }
    owner = getPrototypeOf(owner);
  }
  return membersOf(keys);
}

/** Names of Map, Array, EventEmitter and such can be called, but say nothing about the module. */
function isBuiltinPrototype(owner: object): boolean {
  if (owner === emitterPrototype) return true;
  const maker = getOwnPropertyDescriptor(owner, "constructor")?.value;
  return typeof maker === "function" && isNative(maker);
}

function isNative(fn: object): boolean {
  return endsWith(sourceOf(fn), "{ [native code] }");
}

function isClass(fn: object): boolean {
  return matches(/^class\b/, sourceOf(fn));
}

function sourceOf(fn: object): string {
  try {
    return apply(functionText, fn, []) as string;
  } catch {
    return "";
  }
}

/** A value that can be read without running user code, but for the live bindings of a module. */
function listable(container: Container, key: string): unknown {
  try {
    const descriptor = findDescriptor(container, key);
    if (!descriptor) return undefined;
    if ("value" in descriptor) return descriptor.value;
    return isCompiledModule(container) ? get(container, key) : undefined;
  } catch {
    return undefined;
  }
}

function findDescriptor(container: Container, key: string): PropertyDescriptor | undefined {
  let owner: object | null = container;
  while (owner !== null) {
    const descriptor = getOwnPropertyDescriptor(owner, key);
    if (descriptor) return descriptor;
    owner = getPrototypeOf(owner);
  }
  return undefined;
}

/** True for an ES module's namespace and for what compilers make of one in CommonJS, where exports are getters. */
export function isCompiledModule(container: object): boolean {
  if (isModuleNamespaceObject(container)) return true;
  return getOwnPropertyDescriptor(container, "__esModule")?.value === true;
}
