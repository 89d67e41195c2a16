import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { FileWatch } from "../../src/file-watch.ts";
import { type Options, start } from "../../src/index.ts";
import { collectLogs, failure, startHost, temporaryFolder, until } from "../support/host.ts";

/** Longer than a change is kept back. */
const settled = 600;

describe("option watch", { concurrency: 3 }, () => {
  const startWatching = async (t: TestContext, options: Options = {}) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "lib", "deep"), { recursive: true });
    for (const name of ["node_modules", ".git"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "package.json"), "{}");
    const write = (version: number): void =>
      writeFileSync(join(folder, "lib", "deep", "version.js"), `module.exports = ${version};`);
    write(1);
    const entry = join(folder, "lib", "index.js");
    writeFileSync(entry, 'exports.version = () => require("./deep/version.js");');
    const host = await startHost(t, { entry, watch: true, ...options });
    const reloads = (): number => host.stats().reloads.succeeded;
    return { folder, entry, write, host, reloads };
  };

  test("reloads when a file changes, deep in the package too", async (t) => {
    const { write, host, reloads } = await startWatching(t);
    for (const version of [2, 3]) {
      write(version);
      await until(() => reloads() === version - 1, "the host has reloaded");
      assert.equal(await host.call("version"), version);
    }
  });

  test("sees files and folders that come and go", async (t) => {
    const { folder, reloads } = await startWatching(t);
    mkdirSync(join(folder, "views", "mail"), { recursive: true });
    await until(() => reloads() === 1, "the new folders are seen");
    writeFileSync(join(folder, "views", "mail", "welcome.html"), "hello");
    await until(() => reloads() === 2, "the new file is seen");
    rmSync(join(folder, "views"), { recursive: true });
    await until(() => reloads() === 3, "they are gone");
  });

  test("leaves out node_modules, and what begins with a dot", async (t) => {
    const { folder, write, reloads } = await startWatching(t);
    for (const name of ["node_modules/a.js", ".git/index", ".env", "lib/.swap"]) {
      writeFileSync(join(folder, name), "changed");
    }
    await wait(settled);
    assert.equal(reloads(), 0);
    write(2);
    await until(() => reloads() === 1, "the host has reloaded");
  });

  test("logs code that does not load, and heals when it does", async (t) => {
    const { logger, lines } = collectLogs();
    const { entry, host, reloads } = await startWatching(t, { logger });
    writeFileSync(entry, "exports.version = (;");
    await until(() => host.stats().reloads.failed === 1, "the reload has failed");
    assert.equal(await host.call("version"), 1);
    assert.ok(lines.some(({ message }) => /^reload failed.*SyntaxError/.test(message)));
    writeFileSync(entry, "exports.version = () => 9;");
    await until(() => reloads() === 1, "the host has reloaded");
    assert.equal(await host.call("version"), 9);
  });

  test("lets go of the files with close, also when the start fails", async (t) => {
    const index = join(import.meta.dirname, "..", "..", "src", "index.ts");
    const program = `
      import { writeFileSync } from "node:fs";
      import { start } from ${JSON.stringify(index)};
      const entry = ${JSON.stringify(join(temporaryFolder(t), "index.js"))};
      writeFileSync(entry, "exports.a = 1;");
      const host = await start({ entry, watch: true });
      await host.close();
      writeFileSync(entry, "throw new Error('broken')");
      const logger = { debug() {}, info() {}, warn() {}, error() {} };
      console.log(await start({ entry, watch: true, logger }).catch(({ code }) => code));`;
    const args = ["--input-type=module", "--eval", program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
    assert.equal(stdout, "boot_failed\n"); // and the program has ended
  });

  test("is refused where there are no files of one package to watch", async () => {
    for (const options of [{ source: "" }, { command: ["node"] }]) {
      const error = await failure(start({ ...options, watch: true }), "invalid_argument");
      assert.match(error.message, /watch: expected entry/);
    }
  });
});

describe("a file watch", { concurrency: 3 }, () => {
  const watching = async (t: TestContext) => {
    const folder = temporaryFolder(t);
    const watch = new FileWatch();
    let told = 0;
    watch.onChange = () => {
      told++;
    };
    await watch.aim(folder);
    return { folder, watch, told: () => told };
  };

  test("tells of many changes at a time once, when they have stopped", async (t) => {
    const { folder, watch, told } = await watching(t);
    for (let i = 0; i < 300; i++) {
      writeFileSync(join(folder, `${i}.js`), "");
      if (i % 20 === 0) await wait(1);
    }
    await until(() => told() > 0, "it is told");
    await wait(settled);
    await watch.close();
    assert.ok(told() <= 5, `told ${told()} times`);
  });

  test("tells of changes that never stop", async (t) => {
    const { folder, watch, told } = await watching(t);
    let n = 0;
    const clock = setInterval(() => writeFileSync(join(folder, `${n++ % 50}.txt`), String(n)), 2);
    await until(() => told() > 1, "it is told");
    clearInterval(clock);
    await watch.close();
  });

  test("tells nothing of a folder that it was led away from, nor after its end", async (t) => {
    const { folder, watch, told } = await watching(t);
    const other = temporaryFolder(t);
    await watch.aim(other);
    writeFileSync(join(folder, "a.js"), "");
    await wait(settled);
    assert.equal(told(), 0);
    writeFileSync(join(other, "a.js"), "");
    await until(() => told() === 1, "it is told");
    await watch.close();
    writeFileSync(join(other, "b.js"), "");
    await wait(settled);
    assert.equal(told(), 1);
  });
});
