import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../../protocol/vectors/", import.meta.url);
/** Most bytes that one hex text may stand for. */
const maxBytes = 64 * 1_048_576;

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

/** Throws for a key that is not among `keys`: a misspelt expectation must not pass. */
export function allowOnly(where: string, value: object, keys: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) {
      throw new Error(`${where}: expected the keys ${keys.join(", ")}, got ${key}`);
    }
  }
}

/** What a hex text stands for: blanks mean nothing, and "(ab*1000)" is the bytes ab a thousand times. */
export function bytes(text: string): Buffer {
  const compact = text.replaceAll(" ", "");
  const pieces = compact.match(/\([0-9a-f]*\*[1-9][0-9]*\)|[0-9a-f]+/gi) ?? [];
  if (pieces.join("") !== compact) throw new Error(`expected hex, got ${text.slice(0, 60)}`);
  return Buffer.concat(pieces.map(pieceBytes));
}

function pieceBytes(piece: string): Buffer {
  const [, unit = piece, times = "1"] = /\((.*)\*(.*)\)/.exec(piece) ?? [];
  if (unit.length % 2 !== 0) throw new Error(`expected whole bytes, got ${unit.slice(0, 60)}`);
  const size = (unit.length / 2) * Number(times);
  if (size > maxBytes) throw new Error(`expected at most ${maxBytes} bytes, got ${size}`);
  return Buffer.alloc(size, Buffer.from(unit, "hex"));
}
