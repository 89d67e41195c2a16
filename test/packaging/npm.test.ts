import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
/** What the package is built of and holds. */
const SOURCES = [
  "LICENSE",
  "README.md",
  "go-host/internal/process",
  "package.json",
  "protocol",
  "src",
  "tsconfig.build.json",
  "tsconfig.json",
];

describe("the npm package, installed as a user would", () => {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-npm-"));
  const installed = join(folder, "node_modules", "rootbridge");
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });

  before(() => {
    const tarball = packCopy(folder);
    writeFileSync(join(folder, "package.json"), '{"private":true}');
    writeFileSync(
      join(folder, "legacy.js"),
      `exports.double = (n) => 2 * n;
       exports.trace = async () => (await import("rootbridge")).currentCall().traceId;`,
    );
    const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
    run("npm", "install", ...quiet, `./${tarball}`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("holds what it needs to run and nothing else", () => {
    const files = filesOf(installed);
    const others = files.filter((file) => !/^dist\/(src|protocol)\/.*\.(js|d\.ts)$/.test(file));
    assert.deepEqual(others, [
      "LICENSE",
      "README.md",
      "go-host/internal/process/start.cjs",
      "go-host/internal/process/worker.cjs",
      "package.json",
    ]);
    for (const file of others.slice(2, 4)) {
      assert.ok(readFileSync(join(installed, file)).equals(readFileSync(join(root, file))));
    }
    const size = files.reduce((sum, file) => sum + statSync(join(installed, file)).size, 0);
    assert.ok(size < 600_000, `${size} bytes`);
  });

  test("has a command line", () => {
    const command = join("node_modules", ".bin", "rootbridge");
    assert.equal(run(command, "call", "legacy.js", "double", "21"), "42\n");
    assert.equal(run(command, "methods", "legacy.js"), "double\ntrace\n");
  });

  test("is a module, for hosts and for the code in their workers", () => {
    const program = `
      import { currentCall, RootbridgeError, start } from "rootbridge";
      const host = await start({ entry: "legacy.js" });
      console.log(await host.call("double", 21));
      console.log(await host.call("trace", undefined, { traceId: "t-1" }));
      console.log(await host.call("nope").catch((error) => error instanceof RootbridgeError && error.code));
      console.log(currentCall());
      await host.close();`;
    const output = run(process.execPath, "--input-type=module", "--eval", program);
    assert.equal(output, "42\nt-1\nmethod_not_found\nundefined\n");
  });

  test("has types", () => {
    const program = `
      import { type Host, start } from "rootbridge";
      const host: Host = await start({ entry: "legacy.js", workers: 1 });
      const sum: number = await host.call<number>("double", 21, { timeout: 100 });
      // @ts-expect-error: no such option
      await start({ entry: "legacy.js", wrokers: sum });`;
    writeFileSync(join(folder, "program.mts"), program);
    const tsc = join(root, "node_modules", ".bin", "tsc");
    const types = ["--typeRoots", join(root, "node_modules", "@types"), "--types", "node"];
    const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023"];
    assert.equal(run(tsc, ...flags, ...types, "program.mts"), "");
  });
});

/** Packs a copy: packing builds, and dist/ is what other tests' code gets for `rootbridge` meanwhile. */
function packCopy(folder: string): string {
  const copy = join(folder, "sources");
  for (const name of SOURCES) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "dir");
  const pack = ["pack", "--silent", "--pack-destination", folder];
  execFileSync("npm", pack, { cwd: copy, stdio: ["ignore", "ignore", "inherit"] });
  rmSync(copy, { recursive: true });
  const [tarball = ""] = readdirSync(folder);
  return tarball;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => statSync(join(folder, file)).isFile())
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
}
