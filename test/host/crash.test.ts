import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type RootbridgeError, start } from "../../src/index.ts";
import {
  collectLogs,
  failure,
  isAlive,
  startHost,
  temporaryFolder,
  testNode,
  until,
} from "../support/host.ts";

describe("a worker that dies", { concurrency: true }, () => {
  test("fails the calls on it and is replaced", async (t) => {
    const host = await startHost(t);
    const pid = await host.call<number>("pid");
    const neighbour = failure(host.call("sleep", 60_000), "worker_crashed");
    const error = await failure(host.call("die"), "worker_crashed");
    assert.match(error.message, /SIGKILL/);
    assert.equal(error.workerPid, pid);
    await neighbour;
    assert.notEqual(await host.call("pid"), pid);
    const { boots, restarts, failed } = host.stats();
    assert.deepEqual(
      { boots, restarts, failed },
      { boots: 2, restarts: 1, failed: { worker_crashed: 2 } },
    );
  });

  test("by process.exit says so, with the code and who called it", async (t) => {
    const host = await startHost(t);
    const error = await failure(host.call("exit", 0), "worker_crashed");
    assert.match(error.message, /process\.exit\(0\)/);
    assert.match(String((error.cause as Error).stack), /legacy\.js/);
    assert.equal(await host.call("echo", 1), 1);
  });

  const said =
    "console.log('not this'); console.error('DATABASE_URL is not set'); console.warn('cache is cold'); process.stderr.write('half a line');";
  const words = "DATABASE_URL is not set\ncache is cold\nhalf a line\n";

  test("hands on what JavaScript printed on stderr", async (t) => {
    const source = `export const fail = () => { ${said} process.exit(1); };`;
    const host = await startHost(t, { source });
    assert.equal((await failure(host.call("fail"), "worker_crashed")).stderr, words);
  });

  test("at its boot hands on what JavaScript printed on stderr", async () => {
    const { logger } = collectLogs();
    const options = { source: `${said} process.exit(1);`, node: testNode, logger };
    assert.equal((await failure(start(options), "boot_failed")).stderr, words);
  });

  test("by an exception that nobody catches says which", async (t) => {
    const host = await startHost(t);
    const error = await failure(host.call("crash"), "worker_crashed");
    assert.match(error.message, /left behind/);
    assert.equal(await host.call("echo", 1), 1);
  });

  test("by a signal from outside, at rest, costs no call", async (t) => {
    const host = await startHost(t);
    const pid = await host.call<number>("pid");
    process.kill(pid, "SIGKILL");
    await until(() => host.stats().restarts === 1, "the host knows");
    assert.notEqual(await host.call("pid"), pid);
    assert.deepEqual(host.stats().failed, {});
  });

  test("takes its children along", async (t) => {
    const host = await startHost(t);
    const child = await host.call<number>("spawn");
    await failure(host.call("die"), "worker_crashed");
    await until(() => !isAlive(child), "the child has ended");
  });

  test("and can't be replaced makes calls fail at once, with the reason, until it can", async (t) => {
    const marker = join(temporaryFolder(t), "broken");
    const { logger, lines } = collectLogs();
    const source = `
      import { existsSync } from "node:fs";
      if (existsSync(${JSON.stringify(marker)})) throw new Error("out of order");
      export const echo = (value) => value;
      export const die = () => process.kill(process.pid, "SIGKILL");`;
    const host = await startHost(t, { source, logger });
    writeFileSync(marker, "");
    await failure(host.call("die"), "worker_crashed");
    const error = await failure(host.call("echo", 1), "worker_unavailable");
    assert.match(error.message, /fails soon.*out of order/);
    assert.ok(host.stats().bootFailures >= 2);
    assert.ok(lines.some(({ message }) => message === "a worker did not start"));
    assert.ok(existsSync(marker));
    rmSync(marker);
    await until(() => host.stats().ready === 1, "a worker is ready again");
    assert.equal(await host.call("echo", 1), 1);
  });
});

/** What a module does about errors, and what a call leaves behind: it holds the loop once the answer is out. */
const leftovers = {
  "a handler that exits": [
    "process.on('uncaughtException', () => process.exit(1));",
    "setImmediate(() => { busy(300); throw new Error('leftover'); });",
  ],
  "a rejection that is thrown on": [
    "process.on('unhandledRejection', (error) => { throw error; });",
    "setImmediate(() => { busy(300); Promise.reject(new Error('leftover')); });",
  ],
  "process.exit": ["", "setImmediate(() => { busy(300); process.exit(0); });"],
  "process.exit in a microtask": ["", "queueMicrotask(() => process.exit(7));"],
};

for (const [what, [handler, leftover]] of Object.entries(leftovers)) {
  test(`a call that waits behind another's leftovers goes to another worker: ${what}`, async (t) => {
    const source = `${handler}
      const busy = (ms) => { const end = Date.now() + ms; while (Date.now() < end); };
      export const bad = () => { ${leftover} return "answered"; };
      export const ok = (value) => value;`;
    const host = await startHost(t, { source });
    assert.equal(await host.call("bad"), "answered");
    assert.equal(await host.call("ok", 1), 1);
    assert.deepEqual(host.stats().failed, {});
  });
}

describe("inTurn", { concurrency: true }, () => {
  test("keeps the next calls away from a worker that is about to die", async (t) => {
    const host = await startHost(t, { inTurn: true });
    const exit = failure(host.call("exit", 3), "worker_crashed");
    const next = [1, 2, 3].map((n) => host.call("echo", n));
    await exit;
    assert.deepEqual(await Promise.all(next), [1, 2, 3]);
  });

  test("keeps the next calls away from a loop without end", async (t) => {
    const host = await startHost(t, { inTurn: true, killGrace: 100 });
    const loop = failure(host.call("loop", undefined, { timeout: 100 }), "deadline_exceeded");
    const next = host.call("echo", 1);
    const hasty = failure(host.call("echo", 1, { timeout: 50 }), "deadline_exceeded");
    assert.match((await hasty).message, /waiting for a worker/);
    await loop;
    assert.equal(await next, 1);
  });

  test("still lets calls run at the same time", async (t) => {
    const host = await startHost(t, { inTurn: true });
    const never = failure(host.call("never", undefined, { timeout: 500 }), "deadline_exceeded");
    assert.equal(await host.call("sleep", 5), 5);
    await never;
  });
});

describe("code that dies soon after it has loaded", { concurrency: true }, () => {
  const ways = {
    throws: "setTimeout(() => { throw new Error('cannot connect to db'); }, 1);",
    exits: "setTimeout(() => process.exit(3), 1);",
  };
  for (const [name, code] of Object.entries(ways)) {
    test(`fails calls fast once it is known to: ${name}`, async (t) => {
      const source = `${code} const end = Date.now() + 50; while (Date.now() < end); export const a = () => 1;`;
      const host = await startHost(t, { source });
      const end = performance.now() + 20_000;
      let last = "";
      while (last !== "worker_unavailable" && performance.now() < end) {
        last = await host.call("a").then(String, (error: RootbridgeError) => error.code);
      }
      assert.equal(last, "worker_unavailable");
      await host.close();
      await failure(host.call("a"), "closed");
    });
  }
});

test("a message of a JSON log line that is no text stays a field", async (t) => {
  const { logger, lines } = collectLogs();
  const record = JSON.stringify({ level: "info", message: { order: 7 } });
  const source = `export const log = () => { process.stdout.write(${JSON.stringify(`${record}\n`)}); };`;
  const host = await startHost(t, { source, logger });
  await host.call("log");
  const logged = () => lines.find(({ fields }) => fields["source"] === "log");
  await until(() => logged() !== undefined, "it is logged");
  assert.deepEqual(logged()?.fields["fields"], { message: { order: 7 } });
});
