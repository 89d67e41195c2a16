import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { RootbridgeError } from "./error.ts";
import { handlerModule } from "./lambda.ts";
import type { Settings } from "./options.ts";

/** The code that workers are started with, from one reload to the next: where its files were when it began. */
export interface Generation {
  /** 1 for the code that the host started with, one more with each reload whose code loaded. */
  readonly number: number;
  /**
   * File or folder without symlinks; undefined for the options `source` and `command`, and for a
   * handler string whose module was not found.
   */
  readonly entry: string | undefined;
  /** The nearest folder with a package.json at or above the entry, or the entry's own. */
  readonly packageDir: string | undefined;
  /** Working directory without symlinks. */
  readonly dir: string;
}

/** Finds the files of a generation, which stay its own when symlinks change. Throws `invalid_argument`. */
export function locate(settings: Settings, number: number): Generation {
  const { handler } = settings;
  if (handler !== undefined) return locateHandler(settings, handler, number);
  const entry = settings.entry && realPath("entry", settings.entry);
  const packageDir = entry && packageOf(entry);
  const dir = realPath("dir", settings.dir ?? packageDir ?? ".");
  return { number, entry, packageDir, dir };
}

function locateHandler(settings: Settings, handler: string, number: number): Generation {
  const dir = realPath("dir", settings.dir ?? ".");
  const entry = handlerModule(dir, handler);
  return { number, entry, packageDir: packageOf(entry ?? dir), dir };
}

/** The nearest folder at or above a file or folder that has a package.json, else its own. */
export function packageOf(entry: string): string {
  const own = isFolder(entry) ? entry : dirname(entry);
  for (let dir = own; ; dir = dirname(dir)) {
    if (existsSync(join(dir, "package.json"))) return dir;
    if (dir === dirname(dir)) return own;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function realPath(option: "entry" | "dir", path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    const expected = option === "entry" ? "a file or package folder" : "a folder";
    const message = `options: ${option}: expected ${expected}, got ${path}`;
    throw new RootbridgeError({ code: "invalid_argument", message }, { cause });
  }
}
