import { Writable } from "node:stream";
import { mapList, sliceList } from "../protocol/list.ts";
import {
  apply,
  defineProperty,
  isArray,
  nativeProcess,
  nextTick,
  requireBuiltin,
  SafeSet,
  writeSync,
} from "./intrinsics.ts";
import type { Stdio } from "./stdio.ts";

type AnyFunction = (...args: unknown[]) => unknown;
/** Takes its arguments as a list: to spread one asks Array.prototype how. */
type Original = (args: unknown[]) => unknown;
type Functions = Record<string, AnyFunction>;

/** Not imported: what the guarded worker does not need would make its start longer. */
const fs: typeof import("node:fs") = requireBuiltin("node:fs");
/** What node:os calls devNull. */
const DEV_NULL: string = nativeProcess.platform === "win32" ? "\\\\.\\nul" : "/dev/null";
const STDERR = 2;

/**
 * For where descriptors 0 and 1 are still the protocol's (Windows, files, terminals, a refused /proc): keeps JavaScript
 * away from them. Reads see the end, writes go to stderr, closes do nothing, children inherit nothing and stderr. Native
 * addons are not stopped.
 */
export function redirectStdio(stdio: Stdio): void {
  const inputs = new SafeSet<unknown>([0, stdio.input]);
  const outputs = new SafeSet<unknown>([1, stdio.output]);
  redirectFileCalls(inputs, outputs);
  replaceStreams();
  redirectChildren(inputs, outputs);
}

function redirectFileCalls(inputs: Set<unknown>, outputs: Set<unknown>): void {
  const files = fs as unknown as Functions;
  const writes = ["write", "writeSync", "writev", "writevSync", "writeFile", "writeFileSync"];
  for (const name of [...writes, "appendFile", "appendFileSync"]) {
    wrap(files, name, (original, args) =>
      original(withFirst(outputs.has(args[0]) ? STDERR : args[0], args)),
    );
  }
  for (const name of ["read", "readSync", "readv", "readvSync", "readFile", "readFileSync"]) {
    wrap(files, name, (original, args) => {
      if (!inputs.has(args[0])) return original(args);
      const nothing = fs.openSync(DEV_NULL, "r");
      return withClose(nothing, original, args);
    });
  }
  for (const name of ["close", "closeSync"]) {
    wrap(files, name, (original, args) => {
      if (!(inputs.has(args[0]) || outputs.has(args[0]))) return original(args);
      const done = args[args.length - 1];
      if (typeof done === "function") nextTick(done as () => void);
      return undefined;
    });
  }
}

/** Reads /dev/null in place of the first argument, and closes it afterwards. */
function withClose(descriptor: number, original: Original, args: unknown[]): unknown {
  const done = args[args.length - 1];
  if (typeof done !== "function") {
    try {
      return original(withFirst(descriptor, args));
    } finally {
      fs.closeSync(descriptor);
    }
  }
  const closing = (...results: unknown[]) => {
    fs.closeSync(descriptor);
    apply(done as AnyFunction, undefined, results);
  };
  const passed = withFirst(descriptor, args);
  passed[args.length - 1] = closing;
  return original(passed);
}

function withFirst(first: unknown, args: readonly unknown[]): unknown[] {
  const passed = sliceList(args, 0);
  passed[0] = first;
  return passed;
}

function wrap(
  owner: Functions,
  name: string,
  replacement: (original: Original, args: unknown[]) => unknown,
): void {
  const original = owner[name];
  if (!original) return;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    return replacement((passed) => apply(original, this, passed), args);
  };
  defineProperty(wrapped, "name", { value: name });
  owner[name] = wrapped;
}

function replaceStreams(): void {
  lazily("stdin", () => Object.assign(fs.createReadStream(DEV_NULL), { fd: 0 }));
  printToStderr();
}

/** Makes process.stdout write to stderr. */
export function printToStderr(): void {
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    writeSync(STDERR, chunk);
    done();
  };
  lazily("stdout", () => Object.assign(new Writable({ write }), { fd: 1 }));
}

function lazily(name: "stdin" | "stdout", make: () => unknown): void {
  let stream: unknown;
  defineProperty(nativeProcess, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      stream ??= make();
      return stream;
    },
  });
}

function redirectChildren(inputs: Set<unknown>, outputs: Set<unknown>): void {
  const mended = (options: unknown): unknown => {
    if (typeof options !== "object" || options === null) return options;
    const { stdio } = options as { stdio?: unknown };
    return stdio === undefined ? options : { ...options, stdio: mend(stdio, inputs, outputs) };
  };
  // Loaded only here: the guarded worker does not need it to start.
  const childProcess: typeof import("node:child_process") = requireBuiltin("node:child_process");
  // Every asynchronous way of starting a child ends here.
  wrap(childProcess.ChildProcess.prototype as unknown as Functions, "spawn", (original, args) =>
    original([mended(args[0])]),
  );
  for (const name of ["spawnSync", "execSync", "execFileSync"]) {
    wrap(childProcess as unknown as Functions, name, (original, args) =>
      original(mapList(args, mendedOptions)),
    );
  }
  function mendedOptions(arg: unknown): unknown {
    return isArray(arg) ? arg : mended(arg);
  }
}

function mend(stdio: unknown, inputs: Set<unknown>, outputs: Set<unknown>): unknown {
  const list = isArray(stdio) ? stdio : [stdio, stdio, stdio];
  let index = -1;
  return mapList(list, (entry: unknown) => {
    index += 1;
    const inherited = entry === "inherit" ? index : descriptorOf(entry);
    if (inputs.has(inherited)) return "ignore";
    return outputs.has(inherited) ? STDERR : entry;
  });
}

function descriptorOf(entry: unknown): unknown {
  return typeof entry === "object" && entry !== null ? (entry as { fd?: unknown }).fd : entry;
}
