// Builds the tables of docs/values.md from protocol/vectors/values.json. With --check it only says whether the page shows
// what would be built, and exits with 1 if not.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGE = `${ROOT}docs/values.md`;
const VECTORS = `${ROOT}protocol/vectors/values.json`;

interface End {
  readonly value?: unknown;
  readonly bytes?: string;
  readonly none?: true;
  readonly depth?: number;
  readonly keys?: number;
  readonly error?: readonly string[];
}

interface ValueCase {
  readonly comment: string;
  readonly group: string;
  readonly js?: string;
  readonly into?: string;
  readonly go?: string;
  readonly text?: string;
  readonly hex?: string;
  readonly json?: End;
  readonly msgpack?: End;
}

/** How one side writes what JSON can't say, by its tag in values.json. */
type Words = Readonly<Record<string, (content: never) => string>>;

const GO: Words = {
  $int: (digits: string) => digits,
  $float: (text: string) => text,
  $time: (text: string) => `time.Time ${text}`,
  $bytes: (hex: string) => `[]byte ${bytesText(hex)}`,
};

const JS: Words = {
  $int: (digits: string) => `${digits}n`,
  $float: (text: string) => text,
  $time: (text: string) => `Date ${text}`,
  $bytes: (hex: string) => `Buffer ${bytesText(hex)}`,
  $utf16: (units: string) => `"\\u${units}"`,
  $undefined: () => "undefined",
  $arguments: (list: unknown[]) => `f(${list.map((item) => show(item, JS)).join(", ")})`,
};

/** The tables, by the name that marks their place in the page. */
const TABLES: Readonly<Record<string, (one: ValueCase) => string[] | undefined>> = {
  results: ({ js, into, ...ends }) => (js && !into ? row([js], ends, GO) : undefined),
  types: ({ js, into, ...ends }) => (js && into ? row([js, into], ends, GO) : undefined),
  arguments: ({ go, ...ends }) => (go ? row([go], ends, JS) : undefined),
  payloads: ({ text, hex, ...ends }) =>
    text === undefined && hex === undefined ? undefined : row([text, hex], ends, JS),
};
const HEADS: Readonly<Record<string, readonly string[]>> = {
  results: ["JavaScript", "Go, json", "Go, msgpack", ""],
  types: ["JavaScript", "Go type", "json", "msgpack", ""],
  arguments: ["Go", "JavaScript, json", "JavaScript, msgpack", ""],
  payloads: ["json", "msgpack", "JavaScript, json", "JavaScript, msgpack", ""],
};

const old = readFileSync(PAGE, "utf8");
const built = buildPage(old, JSON.parse(readFileSync(VECTORS, "utf8")).cases);
if (!process.argv.includes("--check")) writeFileSync(PAGE, built);
else if (built !== old) {
  console.error("docs/values.md is stale: run node scripts/build-values.ts and commit it");
  process.exitCode = 1;
}

function buildPage(page: string, cases: readonly ValueCase[]): string {
  return page.replace(
    /(<!-- (\w+): .*-->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => begin + buildTables(name, cases) + end,
  );
}

/** One table for each group that has rows of this kind. */
function buildTables(name: string, cases: readonly ValueCase[]): string {
  const rowOf = TABLES[name];
  const head = HEADS[name];
  if (!rowOf || !head) throw new Error(`docs/values.md: no table ${name}`);
  let text = "";
  let group = "";
  for (const one of cases) {
    const cells = rowOf(one);
    if (!cells) continue;
    if (one.group !== group)
      text += `\n**${one.group}**\n\n${lineOf(head)}${lineOf(head.map(() => "---"))}`;
    group = one.group;
    text += lineOf(cells);
  }
  return `${text}\n`;
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}

function row(
  from: readonly (string | undefined)[],
  { json, msgpack, comment }: Pick<ValueCase, "json" | "msgpack" | "comment">,
  words: Words,
): string[] {
  const [asJson, asMsgpack] = [json, msgpack].map((end) => (end ? endText(end, words) : "–"));
  const second = asMsgpack === asJson ? "same" : asMsgpack;
  return [...from.map((text) => (text ? code(text) : "–")), asJson ?? "", second ?? "", comment];
}

function endText(end: End, words: Words): string {
  if (end.error) return `error: ${end.error.map(withoutAdvice).join(" … ")}`;
  if (end.none) return "no value";
  if (end.bytes !== undefined) return `bytes ${code(bytesText(end.bytes))}`;
  if (end.depth !== undefined) return `all ${end.depth} levels`;
  if (end.keys !== undefined) return `all ${end.keys} keys`;
  return code(show(end.value, words));
}

/** Advice is for those who meet the error. */
function withoutAdvice(text: string): string {
  return text.replace(/^(result[^:]*): .*/, "$1").trim();
}

function show(value: unknown, words: Words): string {
  if (value === null) return words === GO ? "nil" : "null";
  if (Array.isArray(value)) return `[${value.map((item) => show(item, words)).join(", ")}]`;
  if (typeof value !== "object") return literal(value);
  const entries = Object.entries(value);
  const [[key, content] = ["", undefined]] = entries;
  const tagged = Object.hasOwn(words, key) ? words[key] : undefined;
  if (tagged) return tagged(content as never);
  return `{${entries.map(([name, item]) => `${literal(name)}: ${show(item, words)}`).join(", ")}}`;
}

function literal(value: unknown): string {
  const text = JSON.stringify(value).replace(/[^ -~]/gu, escaped);
  return text.length > 60 ? `${text.slice(0, 20)}…${text.slice(-12)}` : text;
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** Bytes as text where they are some, else in hex. */
function bytesText(hex: string): string {
  const text = Buffer.from(hex, "hex").toString("latin1");
  return hex !== "" && /^[ -~]+$/.test(text)
    ? literal(text)
    : hex.replace(/..(?=.)/g, "$& ") || "(none)";
}

function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}
