import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

const cwd = join(import.meta.dirname, "..", "go-host");
const time = process.argv[2] ?? "20s";

/** Runs every Go fuzz target for the given time, one after the other: `go test` takes one at once. */
function main(): void {
  for (const { pkg, target } of targets()) {
    process.stdout.write(`== ${target} in ${pkg}\n`);
    const args = ["test", pkg, "-run", "^$", "-fuzz", `^${target}$`, "-fuzztime", time];
    const { status } = spawnSync("go", args, { cwd, stdio: "inherit" });
    if (status !== 0) process.exit(1);
  }
}

/** `go test -list` prints a package's targets, then a line with its name. */
function targets(): { pkg: string; target: string }[] {
  const list = execFileSync("go", ["test", "-list", "^Fuzz", "./..."], { cwd, encoding: "utf8" });
  let names: string[] = [];
  const found: { pkg: string; target: string }[] = [];
  for (const line of list.split("\n")) {
    if (line.startsWith("Fuzz")) names.push(line);
    const [word, pkg] = line.split(/\s+/);
    if (word !== "ok" || pkg === undefined) continue;
    found.push(...names.map((target) => ({ pkg, target })));
    names = [];
  }
  return found;
}

main();
