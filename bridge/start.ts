// What hosts run: the worker with a compile cache in its folder, which makes it and user code start sooner. It is a file of
// its own because the cache has nothing of what was compiled before.

import module from "node:module";
import { join } from "node:path";

const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
const { env, execArgv } = process;

/** A debugger and a coverage report want functions as they are compiled, not as they are remembered. */
const isWatched =
  env["NODE_V8_COVERAGE"] !== undefined || execArgv.some((arg) => arg.startsWith("--inspect"));

if (!isWatched) enableCompileCache?.(join(import.meta.dirname, "compile-cache"));
module.createRequire(import.meta.filename)("./worker.cjs");
