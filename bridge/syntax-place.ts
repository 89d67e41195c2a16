import { fileURLToPath } from "node:url";
import { execPattern, sliceText, startsWith } from "../protocol/methods.ts";
import { nativeProcess, requireBuiltin } from "./intrinsics.ts";
import { SOURCE_NAME } from "./virtual.ts";

/** Longest wait for the check, in milliseconds. */
const TIMEOUT = 5_000;

/** What Node calls it. */
const STDIN = "[stdin]";

/** What was being loaded when a syntax error came: a file's path, or the text of module source. */
export type Suspect = { file: string } | { source: string };

/**
 * The place of a syntax error as Node prints it: `FILE:LINE`, the line and a caret. Node keeps it from the error of an ES
 * module, so a second Node is asked to check the file. `undefined` if the file is not to blame.
 */
export function findSyntaxPlace(suspect: Suspect): string | undefined {
  const { spawnSync }: typeof import("node:child_process") = requireBuiltin("node:child_process");
  const args =
    "file" in suspect ? ["--check", suspect.file] : ["--check", "--input-type=module", "-"];
  const input = "file" in suspect ? "" : suspect.source;
  const options = { input, encoding: "utf8", timeout: TIMEOUT, windowsHide: true } as const;
  const { stderr = "" } = spawnSync(nativeProcess.execPath, args, options);
  const place = execPattern(/^.+:\d+\n[\s\S]*?(?=\n\s*\n|$)/, stderr)?.[0];
  if (place === undefined || !startsWith(place, STDIN)) return place;
  return SOURCE_NAME + sliceText(place, STDIN.length);
}

/** The file that a module's URL stands for. */
export function fileOf(url: string): string | undefined {
  return startsWith(url, "file:") ? fileURLToPath(url) : undefined;
}
