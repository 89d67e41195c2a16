import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..", ".tools", "node");

/** Puts the newest release of a Node major into .tools/node, once, and returns the program's path. */
export function installNode(major: string): string {
  const home = join(folder, major);
  const program = join(
    home,
    "node_modules",
    "node",
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  if (!existsSync(program)) install(home, major);
  return program;
}

function install(home: string, major: string): void {
  mkdirSync(home, { recursive: true });
  const manifest = { private: true, allowScripts: { node: true } };
  writeFileSync(join(home, "package.json"), JSON.stringify(manifest));
  execFileSync("npm", ["install", "--no-fund", "--no-audit", "--loglevel=error", `node@${major}`], {
    cwd: home,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
}
