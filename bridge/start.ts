// What hosts run: the worker with what V8 made of it and of user code, which makes both start sooner. It is a file of its own
// because nothing is kept of what was compiled before.

// By their names: for a default import the bundler makes a copy of the whole module, which takes time at each start.
import { closeSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { createRequire, enableCompileCache, getCompileCacheDir } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";

/** Names the worker's code: V8 does not compare it with what it has made of it. Put in by the build. */
declare const WORKER_SUM: string;
/** What the worker's file exports. */
type Worker = typeof import("./main.ts");

const { env, execArgv, hrtime, pid } = process;
const { apply } = Reflect;
const { createCachedData } = Script.prototype;
/** As they are before user code, which runs before anything is kept. */
const files = { closeSync, openSync, renameSync, unlinkSync, writeSync };
const require = createRequire(import.meta.filename);
const program = join(import.meta.dirname, "worker.cjs");

start();

function start(): void {
  const folder = openCompileCache();
  if (folder === undefined) require(program);
  else run(join(folder, `worker-${WORKER_SUM}`));
}

/** The folder of this Node, with these flags of V8; none where nothing is to be kept. */
function openCompileCache(): string | undefined {
  // A debugger and a coverage report want functions as they are compiled, not as they are remembered.
  const isWatched =
    env["NODE_V8_COVERAGE"] !== undefined || execArgv.some((arg) => arg.startsWith("--inspect"));
  if (isWatched) return undefined;
  enableCompileCache?.(join(import.meta.dirname, "compile-cache")); // Node has it from 22.8 on
  return getCompileCacheDir?.(); // another one where NODE_COMPILE_CACHE says so
}

/**
 * Runs the worker with the functions that one before it has compiled. Node's own cache has only what is compiled before
 * anything runs, and has nearly all of a worker's functions compiled anew at each start.
 */
function run(keptFile: string): void {
  const source = readFileSync(program, "latin1"); // it is ASCII
  // The first line is a comment: what is put before it moves no place that a stack names.
  const script = new Script(
    `(function(exports,require,module,__filename,__dirname){${source}\n})`,
    { filename: program, cachedData: readKept(keptFile) },
  );
  const module = { exports: {} as Worker };
  script.runInThisContext()(module.exports, require, module, program, dirname(program));
  module.exports.importBy((url) => import(url)); // a script has no import() without a warning
  if (script.cachedDataRejected !== false) keepLater(module.exports, keptFile, script);
}

/** What was kept, or nothing. It is there twice, because V8 trusts it, and would crash of a part that was damaged. */
function readKept(file: string): Buffer | undefined {
  try {
    const twice = readFileSync(file);
    const half = twice.length / 2;
    const once = twice.subarray(0, half);
    return once.equals(twice.subarray(half)) ? once : undefined;
  } catch {
    return undefined;
  }
}

function keepLater(worker: Worker, file: string, script: Script): void {
  const { cachedDataVersionTag }: typeof import("node:v8") = require("node:v8");
  const tag = cachedDataVersionTag();
  const part = `${file}.${pid}.${hrtime.bigint()}.tmp`;
  worker.keepAfterCalls(() => {
    // With flags that user code has set it would be of no use at the next start.
    if (cachedDataVersionTag() === tag) keep(file, part, script);
  });
}

/** Others may be writing it, too: each puts a whole file in place. */
function keep(file: string, part: string, script: Script): void {
  try {
    writeTwice(part, script);
    files.renameSync(part, file);
  } catch {
    remove(part); // the next worker compiles anew
  }
}

function writeTwice(file: string, script: Script): void {
  const descriptor = files.openSync(file, "wx", 0o600); // before the work, as it may be refused
  try {
    const data = apply(createCachedData, script, []);
    for (let copy = 0; copy < 2; copy++) {
      for (let done = 0; done < data.length; ) {
        done += files.writeSync(descriptor, data, done);
      }
    }
  } finally {
    files.closeSync(descriptor);
  }
}

function remove(file: string): void {
  try {
    files.unlinkSync(file);
  } catch {
    // It was not made.
  }
}
