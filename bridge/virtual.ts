import { pathToFileURL } from "node:url";
import { hasItem } from "../protocol/list.ts";
import { apply, Module, nativeProcess } from "./intrinsics.ts";

/** The package that user code asks for the current call. */
const PACKAGE = "rootbridge";
const CURRENT_CALL = 'globalThis[Symbol.for("rootbridge.currentCall")]';
/** What stands in for the package where it is not installed. */
const PACKAGE_URL: string = dataUrl(
  `export const currentCall = ${CURRENT_CALL}; export default { currentCall };`,
);
/** Where module source given as text pretends to be a file. */
export const SOURCE_NAME = "rootbridge-source.mjs";

/** A data: URL of an ES module. */
export function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** The URL of module source given as text: in the working directory, so that its imports resolve from there. */
export function sourceUrl(): string {
  return pathToFileURL(`${nativeProcess.cwd()}/${SOURCE_NAME}`).href;
}

/** Makes `require("rootbridge")` work without an install. An installed copy is preferred: it shares the state. */
export function providePackageToRequire(): void {
  const id = `${PACKAGE}:worker`;
  const stub = new Module(id);
  stub.filename = id;
  stub.loaded = true;
  stub.exports = {
    currentCall: (globalThis as Record<symbol, unknown>)[Symbol.for("rootbridge.currentCall")],
  };
  const { _resolveFilename: resolve } = Module;
  Module._resolveFilename = function (request, parent, isMain, options): string {
    const args = [request, parent, isMain, options];
    if (request !== PACKAGE) return apply(resolve, this, args) as string;
    try {
      return apply(resolve, this, args) as string;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
      Module._cache[id] = stub;
      return id;
    }
  };
}

/**
 * Makes `import "rootbridge"` work without an install, and `source` importable at sourceUrl(). On Nodes without
 * synchronous hooks this starts a hooks thread. Throws an Error on Nodes without either, if there is a source.
 */
export function providePackageToImport(source: string | undefined): void {
  if (Module.registerHooks) provideByHooks(source);
  else if (Module.register) provideByThread(source);
  else if (source !== undefined) {
    throw new Error(
      `Node ${nativeProcess.version} can't load module source given as text: use a file, or Node 18.19 or newer`,
    );
  }
}

let lastLoaded: string | undefined;

/** The URL of the module that was loaded last, as far as this Node tells: the one to blame for a syntax error. */
export function lastLoadedUrl(): string | undefined {
  return lastLoaded;
}

/** True where providePackageToImport costs a thread, so that it is better done only for ES modules. */
export function importNeedsThread(): boolean {
  return !Module.registerHooks;
}

function provideByHooks(source: string | undefined): void {
  const url = source === undefined ? undefined : sourceUrl();
  Module.registerHooks?.({
    resolve(specifier, context, next) {
      if (specifier === url) return { url, format: "module", shortCircuit: true };
      if (specifier !== PACKAGE || isRequire(context)) return next(specifier, context);
      try {
        return next(specifier, context);
      } catch {
        return { url: PACKAGE_URL, format: "module", shortCircuit: true };
      }
    },
    load(loaded, context, next) {
      lastLoaded = loaded;
      if (loaded !== url) return next(loaded, context);
      return { format: "module", source, shortCircuit: true };
    },
  });
}

function isRequire(context: unknown): boolean {
  const { conditions } = context as { conditions?: readonly string[] };
  return conditions !== undefined && hasItem(conditions, "require");
}

/** The same hooks as text, for Node's hooks thread. */
const THREAD_HOOKS = `
let url, source;
export function initialize(data) { ({ url, source } = data); }
export async function resolve(specifier, context, next) {
  if (specifier === url) return { url, format: "module", shortCircuit: true };
  if (specifier !== ${JSON.stringify(PACKAGE)}) return next(specifier, context);
  try {
    return await next(specifier, context);
  } catch {
    return { url: ${JSON.stringify(PACKAGE_URL)}, format: "module", shortCircuit: true };
  }
}
export async function load(loaded, context, next) {
  return loaded === url ? { format: "module", source, shortCircuit: true } : next(loaded, context);
}
`;

function provideByThread(source: string | undefined): void {
  const url = source === undefined ? undefined : sourceUrl();
  const parent = pathToFileURL(`${nativeProcess.cwd()}/`).href;
  Module.register?.(dataUrl(THREAD_HOOKS), parent, { data: { url, source } });
}
