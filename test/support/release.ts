import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "./host.ts";

/** A package of which each release has a folder of its own, `current` leading to one of them, as tools deploy it. */
export class Releases {
  /** What a host is started with. */
  readonly entry: string;
  readonly #folder: string;
  #swaps = 0;

  constructor(t: TestContext) {
    this.#folder = temporaryFolder(t);
    this.entry = join(this.#folder, "current", "index.js");
    writeFileSync(this.loads, "");
  }

  /** Has a line with the process id of each worker that began to load the code. */
  get loads(): string {
    return join(this.#folder, "loads");
  }

  /** Process ids of all workers so far, in the order in which they began to load. */
  pids(): number[] {
    return readFileSync(this.loads, "utf8").trim().split("\n").filter(Boolean).map(Number);
  }

  /** Path of a file that functions may wait for. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Folder of a release. */
  folder(version: number): string {
    return join(this.#folder, "releases", String(version));
  }

  /** Writes a release and leads `current` to it. `extra` is more code of its main file. */
  deploy(version: number, extra = ""): void {
    this.write(version, extra);
    this.point(version);
  }

  /** Writes the files of a release. */
  write(version: number, extra = ""): void {
    mkdirSync(this.folder(version), { recursive: true });
    this.change(version, "package.json", "{}");
    this.change(version, "version.js", `module.exports = ${version};`);
    this.change(version, "lazy.js", `module.exports = ${version};`);
    this.change(version, "index.js", code(this.loads, extra));
  }

  /** Changes one file of a release, which is there as a whole or as it was before, for whoever loads it meanwhile. */
  change(version: number, name: string, text: string): void {
    const file = join(this.folder(version), name);
    const part = this.path(`part-${++this.#swaps}`);
    writeFileSync(part, text);
    renameSync(part, file);
  }

  /** Leads `current` to a release, at one blow. */
  point(version: number): void {
    const link = join(this.#folder, `link-${++this.#swaps}`);
    symlinkSync(this.folder(version), link);
    renameSync(link, join(this.#folder, "current"));
  }
}

/** What a release is made of in more than one file, one of them loaded late, shows in every answer. */
function code(loads: string, extra: string): string {
  return `
const { appendFileSync, existsSync } = require("node:fs");
appendFileSync(${JSON.stringify(loads)}, process.pid + "\\n");
const version = require("./version.js");
const block = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
exports.version = () => version;
exports.work = async ({ n, milliseconds }) => {
  await sleep(milliseconds);
  return { n, versions: [version, require("./lazy.js")], pid: process.pid };
};
exports.hold = async (path) => {
  appendFileSync(path + ".held", "");
  while (!existsSync(path)) await sleep(5);
  return version;
};
exports.block = (path) => {
  while (!existsSync(path)) block(5);
  return version;
};
exports.never = () => new Promise(() => {});
exports.pid = () => process.pid;
exports.cwd = () => process.cwd();
exports.die = () => process.kill(process.pid, "SIGKILL");
${extra}
`;
}
