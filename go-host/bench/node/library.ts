// The class library that jsii loads: node/jsii.ts, compiled by jsii's own compiler, beside the functions in one file.

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What jsii's compiler asks for. jsii.go knows the name and the version. */
const PACKAGE = {
  name: "bench-work",
  version: "1.0.0",
  license: "Apache-2.0",
  author: { name: "Rootbridge", email: "rootbridge@example.com" },
  repository: { type: "git", url: "https://example.com/rootbridge.git" },
  main: "index.js",
  types: "index.d.ts",
  jsii: { outdir: "dist", targets: {} },
};
const TYPES = "export declare function methodOf(name: string): (argument: unknown) => unknown;\n";

/** Compiles into a folder, which lacks method.js then. */
export function compileLibrary(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/package.json`, JSON.stringify(PACKAGE));
  writeFileSync(`${folder}/README.md`, "The functions of the benchmark.\n");
  writeFileSync(`${folder}/method.d.ts`, TYPES);
  copyFileSync(new URL("jsii.ts", import.meta.url), `${folder}/index.ts`);
  const compiler = fileURLToPath(new URL("../node_modules/jsii/bin/jsii", import.meta.url));
  const args = [compiler, "--fail-on-warnings", folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`jsii: expected a library, got ${stdout}${stderr}`);
}

/** Packs as npm does: all is below package/. */
export function packLibrary(folder: string, file: string): void {
  execFileSync("tar", ["-czf", file, "-C", `${folder}/..`, "package"]);
}
