import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { failure, startHost, temporaryFolder, testNode, until } from "../support/host.ts";
import { Releases } from "../support/release.ts";

/** A program with a host of its own, which evaluates what it is told on each line of stdin. */
class Program {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(t: TestContext, entry: string, options: object) {
    const index = join(import.meta.dirname, "..", "..", "src", "index.ts");
    const given = { entry, node: testNode, workers: 2, ...options };
    const script = `
      import { createInterface } from "node:readline";
      import { start } from ${JSON.stringify(index)};
      const logs = [];
      const logger = Object.fromEntries(["debug", "info", "warn", "error"].map((level) => [
        level, (fields, message) => logs.push({ level, message, fields })]));
      const host = await start({ ...${JSON.stringify(given)}, logger });
      console.log("started");
      for await (const line of createInterface({ input: process.stdin })) {
        console.log(JSON.stringify((await eval(line)) ?? null));
      }
      await host.close();`;
    const args = ["--input-type=module", "--eval", script];
    this.child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => this.child.kill("SIGKILL"));
    this.#answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** Waits until the host has started. */
  async started(): Promise<void> {
    assert.equal((await this.#answers.next()).value, "started");
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the expression gives
  async ask(expression: string): Promise<any> {
    this.child.stdin.write(`${expression}\n`);
    return JSON.parse((await this.#answers.next()).value ?? "null");
  }

  async until(expression: string): Promise<void> {
    const end = performance.now() + 20_000;
    while (!(await this.ask(expression))) {
      assert.ok(performance.now() < end, `waited in vain until ${expression}`);
    }
  }

  signal(): void {
    this.child.kill("SIGUSR2");
  }
}

describe("SIGUSR2 to the host's process", { concurrency: 3 }, () => {
  const startProgram = async (t: TestContext, options: object) => {
    const releases = new Releases(t);
    releases.deploy(1);
    const program = new Program(t, releases.entry, options);
    await program.started();
    return { releases, program };
  };

  test("reloads when the option says so", async (t) => {
    const { releases, program } = await startProgram(t, { reloadOnSignal: true });
    releases.deploy(2);
    program.signal();
    await program.until("host.stats().reloads.succeeded === 1");
    assert.equal(await program.ask("host.call('version')"), 2);
  });

  test("in a storm reloads at least once after the last, and fails no call", async (t) => {
    const { releases, program } = await startProgram(t, { reloadOnSignal: true });
    const load = `
      globalThis.load = Promise.all(Array.from({ length: 8 }, async () => {
        while (!globalThis.stop) await host.call("work", { n: 1, milliseconds: 1 });
      })); true`.replaceAll("\n", " ");
    await program.ask(load);
    for (let version = 2; version <= 4; version++) {
      releases.deploy(version);
      const loads = releases.pids().length;
      for (let i = 0; i < 100; i++) program.signal();
      await until(() => releases.pids().length > loads, "a reload runs");
    }
    await program.until("host.call('version').then((version) => version === 4)");
    await program.ask("globalThis.stop = true, load.then(() => true)");
    const { failed, reloads } = await program.ask("host.stats()");
    assert.deepEqual(failed, {});
    assert.equal(reloads.failed, 0);
    assert.ok(reloads.succeeded <= 300 && releases.pids().length <= 2 * (reloads.succeeded + 2));
  });

  test("during a start reloads after it", async (t) => {
    const releases = new Releases(t);
    const wait = `while (!existsSync(${JSON.stringify(releases.path("go"))})) block(5);`;
    releases.deploy(1, wait);
    const program = new Program(t, releases.entry, { reloadOnSignal: true });
    await until(() => releases.pids().length > 0, "the code is being loaded");
    releases.deploy(2);
    program.signal();
    appendFileSync(releases.path("go"), "");
    await program.started();
    await program.until("host.stats().reloads.succeeded === 1");
    assert.equal(await program.ask("host.call('version')"), 2);
  });

  test("whose reload fails is logged and throws nothing", async (t) => {
    const { releases, program } = await startProgram(t, { reloadOnSignal: true });
    releases.deploy(2, "throw new Error('broken');");
    program.signal();
    await program.until("host.stats().reloads.failed === 1");
    assert.equal(await program.ask("host.call('version')"), 1);
    const found =
      "logs.filter(({ level, message }) => level === 'error' && /broken/.test(message))";
    assert.equal((await program.ask(found)).length, 1);
  });

  test("reloads every host that asked for it, with one listener, which goes with the last", async (t) => {
    const { releases, program } = await startProgram(t, { reloadOnSignal: true });
    const count = "process.listenerCount('SIGUSR2')";
    const before = await program.ask(count);
    const other = { entry: releases.entry, node: testNode, workers: 1, reloadOnSignal: true };
    const another = `start({ ...${JSON.stringify(other)}, logger })`;
    await program.ask(`${another}.then((it) => { globalThis.other = it; })`);
    assert.equal(await program.ask(count), before);
    releases.deploy(2);
    program.signal();
    await program.until("host.stats().generation === 2 && other.stats().generation === 2");
    await program.ask("other.close()");
    assert.equal(await program.ask(count), before);
    await program.ask("host.close()");
    assert.equal(await program.ask(count), 0);
  });

  test("is left alone without the option", async (t) => {
    const { program } = await startProgram(t, {});
    program.signal();
    const [, signal] = await once(program.child, "exit");
    assert.equal(signal, "SIGUSR2");
  });
});

describe("a worker that dies of SIGUSR2 before it is ready", { concurrency: 3 }, () => {
  test("is started again at once and counted as nothing", async (t) => {
    const starts = join(temporaryFolder(t), "starts");
    // A preload runs before the worker's own code, when the signal still ends Node.
    const preload = `
      const { appendFileSync, readFileSync } = require("node:fs");
      const path = ${JSON.stringify(starts)};
      if (require("node:worker_threads").isMainThread) appendFileSync(path, ".");
      if (readFileSync(path, "utf8").length <= 3) {
        process.kill(process.pid, "SIGUSR2");
        for (;;);
      }`;
    writeFileSync(`${starts}.cjs`, preload);
    const source = "export const ok = () => true;";
    const host = await startHost(t, { source, nodeArgs: ["--require", `${starts}.cjs`] });
    assert.equal(await host.call("ok"), true);
    const { boots, bootFailures, restarts } = host.stats();
    assert.deepEqual({ boots, bootFailures, restarts }, { boots: 1, bootFailures: 0, restarts: 0 });
    assert.equal(readFileSync(starts, "utf8"), "....");
  });

  test("each time is given up after bootTimeout, with pauses between the starts", async (t) => {
    const starts = join(temporaryFolder(t), "starts");
    const command = ["sh", "-c", `echo . >> ${starts}; kill -USR2 $$`];
    const error = await failure(startHost(t, { command, bootTimeout: 1_500 }), "boot_failed");
    assert.match(error.message, /SIGUSR2/);
    const { length } = readFileSync(starts, "utf8").trim().split("\n");
    assert.ok(length >= 2 && length <= 5 + 1_500 / 200 + 1, `${length} starts`);
  });

  test("as the program of a shell is started again too", async (t) => {
    const folder = temporaryFolder(t);
    const worker = join(import.meta.dirname, "..", "..", "go-host/internal/process/worker.cjs");
    const script = `if mkdir ${folder}/first 2>/dev/null; then sh -c 'kill -USR2 $$'; exit $?; fi; exec "$@"`;
    const host = await startHost(t, {
      command: [
        "sh",
        "-c",
        script,
        "sh",
        testNode,
        worker,
        join(import.meta.dirname, "..", "fixtures/host/legacy.js"),
      ],
    });
    assert.equal(await host.call("echo", 1), 1);
    assert.equal(host.stats().bootFailures, 0);
  });
});
