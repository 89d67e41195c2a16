import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { startsWith } from "../protocol/methods.ts";
import { withoutPrototype } from "../protocol/prototype.ts";
import { isModule, resolveEntry } from "./entry.ts";
import { getPrototypeOf, isPromise, Module, nativeProcess, ownKeys } from "./intrinsics.ts";
import {
  dataUrl,
  importNeedsThread,
  providePackageToImport,
  providePackageToRequire,
  SOURCE_NAME,
  sourceUrl,
} from "./virtual.ts";

/** What Lambda's process has for its script: code that asks whether it is the script must find that it is not. */
const LAMBDA_MAIN = "/var/runtime/index.mjs";
const objectPrototype: object = Object.prototype;

// Promises are awaited before they are returned: else their `then` would be called, which may be user code's by now.

/** What was loaded. The exports are wrapped, because awaiting them would call an export named `then`. */
export interface Loaded {
  exports: unknown;
}

/** Loads a file, or a folder with a package, as `node FILE` would. Throws what the code throws, or an EntryError. */
export async function loadFile(file: string): Promise<Loaded> {
  const path = resolveEntry(resolve(file));
  prepareRuntime(path);
  const module = isModule(path);
  if (module || !importNeedsThread()) providePackageToImport(undefined);
  if (module) return await importNamespace(pathToFileURL(path).href);
  return await settled(await requireOrImport(path, true));
}

/** Loads a file, or a folder, as Lambda's client does: it is not the main module. Throws what the code throws. */
export async function loadHandlerFile(file: string): Promise<Loaded> {
  const path = resolve(file);
  prepareRuntime(LAMBDA_MAIN);
  const module = isModule(path);
  if (module || !importNeedsThread()) providePackageToImport(undefined);
  if (module) return await importNamespace(pathToFileURL(path).href);
  return await requireOrImport(path, false);
}

/** Loads the text of an ES module as if it were a file in the working directory. Throws what the code throws. */
export async function loadSource(source: string): Promise<Loaded> {
  prepareRuntime(join(nativeProcess.cwd(), SOURCE_NAME));
  providePackageToImport(source);
  return await importNamespace(sourceUrl());
}

function prepareRuntime(path: string): void {
  // Code that looks at process.argv sees what it would if it had been started itself.
  nativeProcess.argv = [nativeProcess.argv[0] ?? nativeProcess.execPath, path];
  // Costs nothing without maps. Node 18 keeps no parsed map, so that each error of a large bundle would take 100 ms.
  if (!startsWith(nativeProcess.version, "v18.")) nativeProcess.setSourceMapsEnabled(true);
  providePackageToRequire();
}

async function requireOrImport(path: string, isMain: boolean): Promise<Loaded> {
  try {
    const exports = Module._load(path, null, isMain);
    if (!(isMain && isEmpty(exports))) return loadedAs(exports);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    // An ES module that doesn't say so by its name, or one with a top-level await.
    if (code !== "ERR_REQUIRE_ESM" && code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
  }
  return await importNamespace(pathToFileURL(path).href);
}

/**
 * Node starts a main file that turns out to be an ES module by itself, and gives no exports of it. To import it then gives
 * the same module; so it does with CommonJS that exports nothing.
 */
function isEmpty(exports: unknown): boolean {
  const isPlain = isObject(exports) && getPrototypeOf(exports) === objectPrototype;
  return isPlain && ownKeys(exports).length === 0;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

async function importNamespace(url: string): Promise<Loaded> {
  const wrapper = dataUrl(`export * as exports from ${JSON.stringify(url)};`);
  return (await importModule(wrapper)) as Loaded;
}

let importModule = (url: string): Promise<unknown> => import(url);

/** Has modules imported by the import() of another file, for where this one is none. */
export function importBy(importer: (url: string) => Promise<unknown>): void {
  importModule = importer;
}

/** `module.exports = start()` with an async start: the module is what its promise gives. */
async function settled(loaded: Loaded): Promise<Loaded> {
  if (!isPromise(loaded.exports)) return loaded;
  return loadedAs(await loaded.exports);
}

/** Without a prototype, from which a promise would read a `then` that user code put there. */
function loadedAs(exports: unknown): Loaded {
  return withoutPrototype({ exports });
}
