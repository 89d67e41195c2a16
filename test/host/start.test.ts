import assert from "node:assert/strict";
import { chmodSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { type Options, type RootbridgeError, start } from "../../src/index.ts";
import {
  collectLogs,
  failure,
  fixture,
  startHost,
  temporaryFolder,
  testNode,
} from "../support/host.ts";

describe("start", { concurrency: true }, () => {
  test("settles with the first worker that is ready, and names the functions", async (t) => {
    const host = await startHost(t, { workers: 2 });
    assert.ok(host.methods.includes("echo"), host.methods.join());
    assert.ok(host.stats().ready >= 1);
    assert.equal(await host.call("echo", 1), 1);
  });

  test("runs the text of an ES module", async (t) => {
    const host = await startHost(t, { source: "export const twice = (n) => 2 * n;" });
    assert.equal(await host.call("twice", 21), 42);
    assert.deepEqual(host.methods, ["twice"]);
  });

  test("runs workers in the package of the entry, or where it is told", async (t) => {
    const folder = temporaryFolder(t);
    const own = await startHost(t);
    const told = await startHost(t, { entry: fixture("legacy.js"), dir: folder });
    assert.equal(await own.call("cwd"), dirname(fixture("legacy.js")));
    assert.equal(await told.call("cwd"), realpathSync(folder));
  });

  test("adds to the environment, takes away from it, or replaces it", async (t) => {
    process.env["ROOTBRIDGE_TEST_OWN"] = "own";
    t.after(() => delete process.env["ROOTBRIDGE_TEST_OWN"]);
    const added = await startHost(t, { env: { MORE: "more" } });
    assert.equal(await added.call("variable", "MORE"), "more");
    assert.equal(await added.call("variable", "ROOTBRIDGE_TEST_OWN"), "own");
    const less = await startHost(t, { env: { ROOTBRIDGE_TEST_OWN: undefined } });
    assert.equal(await less.call("variable", "ROOTBRIDGE_TEST_OWN"), null);
    const replaced = await startHost(t, { env: { MORE: "more" }, replaceEnv: true });
    assert.equal(await replaced.call("variable", "MORE"), "more");
    assert.equal(await replaced.call("variable", "ROOTBRIDGE_TEST_OWN"), null);
    assert.equal(await replaced.call("variable", "ROOTBRIDGE_FDS"), null);
  });

  test("hands arguments on to Node", async (t) => {
    const host = await startHost(t, { nodeArgs: ["--max-old-space-size=123"] });
    assert.deepEqual(await host.call("arguments"), ["--max-old-space-size=123"]);
  });

  test("logs what a preload prints, and starts nevertheless", async (t) => {
    const { logger, lines } = collectLogs();
    const host = await startHost(t, { nodeArgs: ["--require", fixture("prints.js")], logger });
    assert.equal(await host.call("echo", 1), 1);
    assert.ok(lines.some(({ message }) => message.includes("agent 1.2.3 started")));
  });

  test("names what is wrong with an option", async () => {
    const entry = fixture("legacy.js");
    for (const [options, words] of [
      [{}, "exactly one of entry, source and command"],
      [{ entry, source: "" }, "exactly one of entry, source and command"],
      [{ entry: "no/such/file.js" }, "no/such/file.js"],
      [{ entry, dir: "no/such/dir" }, "no/such/dir"],
      [{ entry, workers: 0 }, "workers"],
      [{ entry, callTimeout: -1 }, "callTimeout"],
      [{ entry, maxPayload: 1_023 }, "maxPayload"],
      [{ entry, wrokers: 2 } as Options, "wrokers"],
      [{ source: "x".repeat(1_048_576) }, "source is too long"],
    ] as const) {
      const error = await failure(start(options), "invalid_argument");
      assert.ok(error.message.includes(words), error.message);
    }
  });

  test("never shows the value of a variable that it refuses", async () => {
    const env = { TOKEN: 1234567 } as unknown as Record<string, string>;
    const error = await failure(start({ entry: fixture("legacy.js"), env }), "invalid_argument");
    assert.ok(error.message.includes("TOKEN") && !error.message.includes("1234567"), error.message);
  });
});

describe("code that does not load is boot_failed", { concurrency: true }, () => {
  const boot = async (options: Options, words: RegExp): Promise<RootbridgeError> => {
    const { logger } = collectLogs();
    const error = await failure(start({ node: testNode, logger, ...options }), "boot_failed");
    assert.match(error.message, words);
    return error;
  };

  test("a syntax error", async () => {
    await boot({ entry: fixture("broken-syntax.js") }, /SyntaxError/);
  });

  test("a missing package", async () => {
    await boot({ entry: fixture("broken-import.mjs") }, /no-such-package/);
  });

  test("process.exit while it loads", async () => {
    await boot({ entry: fixture("broken-exit.js") }, /process\.exit\(7\)/);
  });

  test("a preload that is missing, in the words that say so", async () => {
    const nodeArgs = ["--require", "/no/such/preload.js"];
    await boot(
      { source: "", nodeArgs },
      /last words: Error: Cannot find module '\/no\/such\/preload\.js'$/,
    );
  });

  test("a throw, with its stack and what was written to stderr before", async () => {
    const error = await boot({ entry: fixture("broken-throw.js") }, /no config found/);
    assert.match(String((error.cause as Error).stack), /broken-throw\.js:3/);
    assert.match(error.stderr ?? "", /looking for the config/);
  });

  test("a load that never ends", async () => {
    const words = /not ready within 2500 ms.*did not finish loading/;
    await boot({ entry: fixture("endless.mjs"), bootTimeout: 2_500 }, words);
  });

  test("a Node that is not there", async () => {
    for (const node of ["/no/such/node", "no-such-node"]) {
      const error = await boot(
        { source: "", node },
        /^boot_failed: no executable Node at \S+ \(ENOENT\); set the option node .*$/,
      );
      assert.equal(error.stderr, undefined);
    }
  });

  test("a program that is no Node", async () => {
    await boot({ source: "", node: "/bin/echo" }, /echo is no Node: its version is "/);
  });

  test("a Node that is too old", async (t) => {
    const node = join(temporaryFolder(t), "node");
    writeFileSync(node, '#!/bin/sh\n[ "$1" = --version ] && echo v12.22.12 && exit 0\nexit 1\n');
    chmodSync(node, 0o700);
    await boot({ source: "", node }, /Node v12\.22\.12, the worker needs Node 18 or later/);
  });

  test("a worker program that is none", async () => {
    await boot({ command: ["echo", "hello"] }, /echo ended before it was ready \(exit code 0\)/);
  });
});
