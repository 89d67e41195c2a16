import { extname } from "node:path";
import { Code, type ErrorObject } from "../protocol/error.ts";
import { linesOf, matches, sliceText, startsWith } from "../protocol/methods.ts";
import { EntryError } from "./entry.ts";
import { nativeProcess, SafeSet } from "./intrinsics.ts";
import { fileOf, findSyntaxPlace, type Suspect } from "./syntax-place.ts";
import { describeThrown } from "./thrown.ts";
import { lastLoadedUrl, sourceUrl } from "./virtual.ts";

const TYPESCRIPT: ReadonlySet<string> = new SafeSet([".ts", ".mts", ".cts", ".tsx"]);

/** Describes why the code did not load: where, what, and what to do where that is known. */
export function describeBootError(thrown: unknown, entry: string, source?: string): ErrorObject {
  const error = describeThrown(thrown, Code.BootFailed);
  if (error.name === "SyntaxError") addSyntaxPlace(error, entry, source);
  const what = thrown instanceof Error ? `${error.name}: ${error.message}` : error.message;
  const place = error.name === "SyntaxError" ? placeOf(error.stack) : "";
  const advice = adviceFor(error, entry);
  const isOurs = thrown instanceof EntryError;
  const head = isOurs ? error.message : `${entry} did not load: ${place}${what}`;
  error.message = advice ? `${head}\n${advice}` : head;
  return error;
}

/** Puts the place of an ES module's syntax error before its stack, where CommonJS's have it. */
export function addSyntaxPlace(
  error: ErrorObject,
  entry: string,
  source: string | undefined,
): void {
  const { stack = "" } = error;
  const fromModule = matches(/\b(compileSourceTextModule|moduleStrategy)\b/, stack);
  if (!fromModule || placeOf(stack) !== "") return;
  const place = findSyntaxPlace(suspectFor(entry, source));
  if (place) error.stack = `${place}\n\n${stack}`;
}

function suspectFor(entry: string, source: string | undefined): Suspect {
  const url = lastLoadedUrl();
  const file = url && fileOf(url);
  if (source !== undefined && (url === undefined || url === sourceUrl())) return { source };
  return { file: file ?? entry };
}

const FILE_SCHEME = "file://";

/** The `FILE:LINE` that a syntax error's stack begins with; its message says nothing of the place. */
function placeOf(stack: string | undefined): string {
  const first = linesOf(stack ?? "")[0] ?? "";
  if (!matches(/:\d+$/, first)) return "";
  return `${startsWith(first, FILE_SCHEME) ? sliceText(first, FILE_SCHEME.length) : first}: `;
}

function adviceFor(error: ErrorObject, entry: string): string | undefined {
  const code = error.fields?.["code"];
  if (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") {
    return `Is it installed? Run npm install where the code's package.json is (working directory: ${nativeProcess.cwd()}).`;
  }
  if (TYPESCRIPT.has(extname(entry)) && !stripsTypes()) {
    return `Node ${nativeProcess.version} does not load TypeScript: use Node 22.18 or newer, preload tsx (--import tsx), or compile it.`;
  }
  if (
    error.name === "SyntaxError" &&
    matches(/import statement|'export'|import\.meta|await is only valid/, error.message)
  ) {
    return 'It looks like an ES module: name it .mjs, or put "type": "module" into its package.json.';
  }
  return undefined;
}

/** Describes a top-level await that is pending for ever, for which Node alone would exit with 13 and say nothing. */
export function describeNeverSettled(entry: string): ErrorObject {
  return {
    code: Code.BootFailed,
    message: `${entry} did not load: its top-level await never settled, and nothing is left that could settle it`,
  };
}

function stripsTypes(): boolean {
  return Boolean((nativeProcess.features as { typescript?: unknown }).typescript);
}
