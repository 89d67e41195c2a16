// What hosts run: the worker with what V8 made of it and of user code, which makes both start sooner. It is a file of its own
// because nothing is kept of what was compiled before.

// By their names: for a default import the bundler makes a copy of the whole module, which takes time at each start.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire, enableCompileCache, getCompileCacheDir } from "node:module";
import { basename, dirname, join } from "node:path";
import { Script } from "node:vm";

/** Names the worker's code: V8 does not compare it with what it has made of it. Put in by the build. */
declare const WORKER_SUM: string;
/** What the worker's file exports. */
type Worker = typeof import("./main.ts");

const { env, execArgv, pid } = process;
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
  const own = join(import.meta.dirname, "compile-cache");
  enableCompileCache?.(own); // Node has it from 22.1 on
  const used = getCompileCacheDir?.(); // another one where NODE_COMPILE_CACHE says so
  return used === undefined ? undefined : join(own, basename(used));
}

/**
 * Runs the worker with the functions that one before it has compiled. Node's own cache has only what is compiled before
 * anything runs, and has nearly all of a worker's functions compiled anew at each start.
 */
function run(keptFile: string): void {
  const source = readFileSync(program, "latin1"); // it is ASCII
  // The first line is a comment: what is put before it moves no place that a stack names.
  const script = new Script(`(function(exports,require,module){${source}\n})`, {
    filename: program,
    cachedData: readKept(keptFile),
  });
  const module = { exports: {} as Worker };
  script.runInThisContext()(module.exports, require, module);
  module.exports.importBy((url) => import(url)); // a script has no import() without a warning
  if (script.cachedDataRejected === false) return;
  module.exports.onceUsed(() => keep(keptFile, script));
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

/** Others may be writing it, too: each puts a whole file in place. */
function keep(file: string, script: Script): void {
  const whole = `${file}.${pid}.tmp`;
  try {
    const data = script.createCachedData();
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(whole, Buffer.concat([data, data]), { mode: 0o600, flag: "wx" });
    renameSync(whole, file);
  } catch {
    // The next worker compiles anew.
  }
}
