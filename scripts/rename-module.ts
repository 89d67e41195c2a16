import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const OLD = "rootbridge";
/** An import's line; elsewhere the word is only a name. */
const IMPORT: RegExp = /^((?:import |\t)(?:\w+ )?)"rootbridge(\/[^"]*)?"$/gm;

/** Gives the Go module another path, for publication: `node scripts/rename-module.ts example.com/team/rootbridge`. */
function main(): void {
  const path = process.argv[2];
  if (!path || !/^[\w.-]+\.[a-z]+(\/[\w.-]+)+$/.test(path)) {
    process.stderr.write(`expected the module's new path, such as example.com/team/${OLD}\n`);
    process.exit(2);
  }
  for (const file of tracked("*.go")) replace(file, IMPORT, `$1"${path}$2"`);
  for (const file of tracked("*go.mod"))
    replace(file, new RegExp(`^(module |require |replace |\\t)${OLD}\\b`, "gm"), `$1${path}`);
}

function tracked(pattern: string): string[] {
  return execFileSync("git", ["ls-files", pattern], { encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
}

function replace(file: string, what: RegExp, by: string): void {
  const before = readFileSync(file, "utf8");
  const after = before.replace(what, by);
  if (after === before) return;
  writeFileSync(file, after);
  process.stdout.write(`${file}\n`);
}

main();
