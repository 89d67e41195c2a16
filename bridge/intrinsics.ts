// What the worker uses of the runtime, taken before user code can replace, freeze, fake or delete it.
// A name that user code can reach through an object (fs.writeSync, process.exit) is copied here, not looked up later.

import {
  AsyncLocalStorage as NodeAsyncLocalStorage,
  AsyncResource as NodeAsyncResource,
} from "node:async_hooks";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { types } from "node:util";
import { textOf } from "../protocol/error.ts";
import { readProperty } from "../protocol/field.ts";
import { SafeMap, SafeSet, shielded } from "../protocol/shielded.ts";

/** Not from node:process, whose first import makes process.stdin of the pipe that is to be moved away (Node 18). */
export const nativeProcess: NodeJS.Process = globalThis.process;
export const requireBuiltin: NodeJS.Require = createRequire(`${nativeProcess.cwd()}/`);
/** For a default import the bundler makes a copy of the whole module, which takes time at each start. */
const fs: typeof import("node:fs") = requireBuiltin("node:fs");
const net: typeof import("node:net") = requireBuiltin("node:net");
const timers: typeof import("node:timers") = requireBuiltin("node:timers");
const v8: typeof import("node:v8") = requireBuiltin("node:v8");

export const apply: typeof Reflect.apply = Reflect.apply;
export const get: typeof Reflect.get = Reflect.get;
export const getOwnPropertyDescriptor: typeof Reflect.getOwnPropertyDescriptor =
  Reflect.getOwnPropertyDescriptor;
export const getPrototypeOf: typeof Reflect.getPrototypeOf = Reflect.getPrototypeOf;
export const ownKeys: typeof Reflect.ownKeys = Reflect.ownKeys;

export const defineProperty: typeof Object.defineProperty = Object.defineProperty;
export const hasOwn: typeof Object.hasOwn = Object.hasOwn;
export const keysOf: typeof Object.keys = Object.keys;
export const assign: typeof Object.assign = Object.assign;

export const isArray: typeof Array.isArray = Array.isArray;

export const isNativeError: typeof types.isNativeError = types.isNativeError;
export const isPromise: typeof types.isPromise = types.isPromise;
export const isUint8Array: typeof types.isUint8Array = types.isUint8Array;
export const isProxy: typeof types.isProxy = types.isProxy;
export const isModuleNamespaceObject: typeof types.isModuleNamespaceObject =
  types.isModuleNamespaceObject;

export const closeSync: typeof fs.closeSync = fs.closeSync;
export const fstatSync: typeof fs.fstatSync = fs.fstatSync;
export const openSync: typeof fs.openSync = fs.openSync;
export const readSync: typeof fs.readSync = fs.readSync;
export const writeSync: typeof fs.writeSync = fs.writeSync;

export const setTimeout: typeof timers.setTimeout = timers.setTimeout;
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout;
export const setImmediate: typeof timers.setImmediate = timers.setImmediate;
/** A timer that keeps no process. */
export function setIdleTimeout(callback: () => void, milliseconds: number): void {
  apply(unref, setTimeout(callback, milliseconds), []);
}

export { Buffer } from "../protocol/methods.ts";
/** Sockets, maps and storages of the worker's own, whose methods stay what they are. */
export const Socket: typeof net.Socket = shielded(net.Socket);
export { SafeMap, SafeSet };
export const AsyncLocalStorage: typeof NodeAsyncLocalStorage = shielded(NodeAsyncLocalStorage);
export const AsyncResource: typeof NodeAsyncResource = shielded(NodeAsyncResource);
export const NativePromise: PromiseConstructor = Promise;
export const nativeThen: (this: unknown, ...args: unknown[]) => unknown = Promise.prototype
  .then as never;
export const NativeDate: DateConstructor = Date;
export const NativeAbortController: typeof AbortController = AbortController;
/** Aborts a controller's signal. */
export function abort(controller: AbortController, reason: unknown): void {
  apply(nativeAbort, controller, [reason]);
}
const nativeAbort = AbortController.prototype.abort;
const unref = timerMethods().unref;

function timerMethods(): NodeJS.Timeout {
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  return timer;
}

export const max: typeof Math.max = Math.max;
export const min: typeof Math.min = Math.min;
export const floor: typeof Math.floor = Math.floor;

const nanoseconds: () => bigint = nativeProcess.hrtime.bigint;
/** Milliseconds of a clock that only goes forward. Not performance.now, which asks process.hrtime on Node 18. */
export const now = (): number => toNumber(nanoseconds()) / 1e6;
const toNumber: NumberConstructor = Number;
export const epochNow: () => number = Date.now;
export const eventLoopUtilization: typeof performance.eventLoopUtilization =
  performance.eventLoopUtilization;
export const getHeapStatistics: typeof v8.getHeapStatistics = v8.getHeapStatistics;
/** Resident set size in bytes. Throws where the system does not tell. */
export const residentSize: () => number = nativeProcess.memoryUsage.rss;
export const nextTick: (callback: () => void) => void = nativeProcess.nextTick.bind(
  nativeProcess,
) as never;
const exit = nativeProcess.exit.bind(nativeProcess);
const reallyExit = (nativeProcess as unknown as { reallyExit: typeof exit }).reallyExit.bind(
  nativeProcess,
);

const resolved = Promise.resolve();
/** Its own, so that `then` does not ask Promise.prototype which class it makes. */
defineProperty(resolved, "constructor", { value: undefined });

/** Runs a callback once the microtasks queued so far are done. */
export function afterMicrotasks(callback: () => void): void {
  apply(nativeThen, resolved, [callback]);
}

/** Settles once what is to be done in this turn of the event loop is done. */
export function nextTurn(): Promise<void> {
  return new NativePromise((resolve) => {
    setImmediate(resolve);
  });
}

/** Ends the process after user code's exit handlers. One that throws can't keep it, but is shown, as Node does. */
export function exitProcess(code: number): never {
  try {
    return exit(code);
  } catch (error) {
    writeError(error);
    return reallyExit(code || 1);
  }
}

/** Writes an error to stderr, if that takes it. */
export function writeError(error: unknown, what = ""): void {
  writeStderr(`${what}${textOf(readProperty(Object(error), "stack") ?? error)}\n`);
}

/** Writes to stderr, if that takes it. */
export function writeStderr(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // There is nowhere left to say so.
  }
}

/** CommonJS's inner functions, which load an entry as `node FILE` does. */
export interface ModuleInternals {
  _load(request: string, parent: unknown, isMain: boolean): unknown;
  _resolveFilename(request: string, parent: unknown, isMain: boolean, options?: unknown): string;
  _cache: Record<string, unknown>;
  _extensions: Record<string, unknown>;
  register?(url: string, parent: string, options?: { data?: unknown }): void;
  registerHooks?(hooks: SyncHooks): unknown;
  flushCompileCache?(): void;
  getCompileCacheDir?(): string | undefined;
  new (id: string): { filename: string; loaded: boolean; exports: unknown };
}

/** The part of module.registerHooks that is used here. */
export interface SyncHooks {
  resolve?(
    specifier: string,
    context: unknown,
    next: (specifier: string, context?: unknown) => { url: string; format?: string },
  ): { url: string; format?: string; shortCircuit?: boolean };
  load?(url: string, context: unknown, next: (url: string, context?: unknown) => unknown): unknown;
}

export const Module: ModuleInternals = requireBuiltin("node:module");
