// Makes docs/benchmarks.md's figures and charts from the results that bench wrote. With --check it only says whether the
// committed files are what would be made, and exits with 1 if not.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { drawCharts } from "./charts.ts";
import { readResults } from "./results.ts";
import { makeTables } from "./tables.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const RESULTS = `${ROOT}docs/benchmarks/results.json`;
const GOALS = `${ROOT}docs/benchmarks/goals.json`;
const PAGE = `${ROOT}docs/benchmarks.md`;
/** What is between these lines is made. */
const BEGIN = "<!-- made by make bench-report -->";
const END = "<!-- end -->";

const results = readResults(RESULTS, GOALS);
const files = new Map([[PAGE, pageWith(makeTables(results))]]);
for (const [name, svg] of await drawCharts(results))
  files.set(`${ROOT}docs/benchmarks/${name}.svg`, svg);
for (const [file, text] of files) finish(file, text);

function pageWith(made: string): string {
  const page = readFileSync(PAGE, "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${PAGE} has no ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n\n${made}\n${END}${after}`;
}

function finish(file: string, text: string): void {
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  if (process.argv.includes("--check")) {
    process.stderr.write(`${relative(ROOT, file)} is stale: run make bench-report and commit it\n`);
    process.exitCode = 1;
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stdout.write(`${relative(ROOT, file)}: ${text.length} bytes\n`);
}
