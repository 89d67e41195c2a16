import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
// biome-ignore lint/correctness/useImportExtensions: session.d.mts has its types, and is no other extension
import { allowOnly } from "./session.mjs";

// biome-ignore lint/correctness/useImportExtensions: as above
export * from "./session.mjs";

const folder = new URL("../../protocol/vectors/", import.meta.url);

/** What every case of every file has. */
export interface Case {
  readonly id: string;
  readonly comment: string;
}

/**
 * Reads the cases of a file, given by its name within protocol/vectors. Throws for a case with a key that is not among
 * `keys`, and for a file without cases: a test must not pass because it checked nothing.
 */
export function readCases<C extends Case>(name: string, keys: readonly string[]): C[] {
  const file = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
  allowOnly(name, file, ["comment", "cases"]);
  const cases: C[] = file.cases;
  if (cases.length === 0) throw new Error(`${name}: expected cases, got none`);
  const ids = new Set<string>();
  for (const one of cases) {
    allowOnly(`${name}: ${one.id}`, one, ["id", "comment", ...keys]);
    if (ids.has(one.id)) throw new Error(`${name}: two cases with the id ${one.id}`);
    ids.add(one.id);
  }
  return cases;
}

/** Names of the JSON files in a folder of protocol/vectors, for readCases. */
export function listFiles(name: string): string[] {
  const files = readdirSync(new URL(`${name}/`, folder)).filter((file) => file.endsWith(".json"));
  if (files.length === 0) throw new Error(`${name}: expected JSON files, got none`);
  return files.map((file) => `${name}/${file}`);
}

/** The path of a file within protocol/vectors. */
export function pathOf(name: string): string {
  return fileURLToPath(new URL(name, folder));
}
