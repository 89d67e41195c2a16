import { readFileSync, statSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { Module } from "./intrinsics.ts";

/** What to load was not found. */
export class EntryError extends Error {
  override readonly name: string = "EntryError";
}

/** Extensions whose meaning is left to the nearest package.json. */
const UNDECIDED: ReadonlySet<string> = new Set(["", ".js", ".jsx", ".ts", ".tsx"]);
/** Conditions of a package's exports that hold here. */
const CONDITIONS: ReadonlySet<string> = new Set([
  "node",
  "import",
  "module-sync",
  "require",
  "default",
]);

/** Resolves a file, a file without its extension or a package's folder to the file to load. Throws an EntryError. */
export function resolveEntry(path: string): string {
  const target = isDirectory(path) ? (exportedFile(path) ?? path) : path;
  try {
    return Module._resolveFilename(target, null, true);
  } catch (error) {
    throw new EntryError(
      `nothing to load at ${path}: expected a file, or a folder with a package`,
      {
        cause: error,
      },
    );
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The file that a package's `exports` gives for its own name; they are meant for importers, so `main` comes second. */
function exportedFile(directory: string): string | undefined {
  const exported = readPackage(directory)?.["exports"];
  const target = pickTarget(isSubpaths(exported) ? exported["."] : exported);
  return target === undefined ? undefined : join(directory, target);
}

function isSubpaths(exported: unknown): exported is Record<string, unknown> {
  return typeof exported === "object" && exported !== null && "." in exported;
}

function pickTarget(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (typeof target !== "object" || target === null) return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    // A list of alternatives has numbers for keys.
    const holds = CONDITIONS.has(condition) || Array.isArray(target);
    const picked = holds ? pickTarget(inner) : undefined;
    if (picked !== undefined) return picked;
  }
  return undefined;
}

/** True for a file that Node loads as an ES module by its name or its package. */
export function isModule(path: string): boolean {
  const extension = extname(path);
  if (extension === ".mjs" || extension === ".mts") return true;
  return UNDECIDED.has(extension) && nearestPackage(dirname(path))?.["type"] === "module";
}

function nearestPackage(directory: string): Record<string, unknown> | undefined {
  const found = readPackage(directory);
  const parent = dirname(directory);
  return found || parent === directory ? found : nearestPackage(parent);
}

function readPackage(directory: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
}
