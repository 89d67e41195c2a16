// What hosts run: the worker with a compile cache in its folder, which makes it and user code start sooner. It is a file of
// its own because the cache has nothing of what was compiled before.

// By their names: for a default import the bundler makes a copy of the whole module, which takes time at each start.
import { createRequire, enableCompileCache } from "node:module";
import { join } from "node:path";

const { env, execArgv } = process;

/** A debugger and a coverage report want functions as they are compiled, not as they are remembered. */
const isWatched =
  env["NODE_V8_COVERAGE"] !== undefined || execArgv.some((arg) => arg.startsWith("--inspect"));

// Node has it from 22.1 on.
if (!isWatched) enableCompileCache?.(join(import.meta.dirname, "compile-cache"));
createRequire(import.meta.filename)("./worker.cjs");
