import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Host, Options, Reply } from "../../src/index.ts";
import { collectLogs, failure, isAlive, startHost, until } from "../support/host.ts";
import { Releases } from "../support/release.ts";

interface Worked {
  readonly n: number;
  readonly versions: readonly number[];
  readonly pid: number;
}

/** Starts a host of release 1. At the test's end every worker is gone that began to load anything. */
async function startRelease(
  t: TestContext,
  options: Options = {},
): Promise<{ releases: Releases; host: Host }> {
  const made = Promise.withResolvers<{ releases: Releases; host: Host }>();
  t.after(async () => {
    const { releases, host } = await made.promise;
    await host.shutdown({ timeout: 0 }).catch(() => undefined);
    assert.deepEqual(releases.pids().filter(isAlive), [], "workers are left");
  });
  const releases = new Releases(t); // its folder goes after that
  releases.deploy(1);
  made.resolve({
    releases,
    host: await startHost(t, { entry: releases.entry, workers: 2, ...options }),
  });
  const { host } = await made.promise;
  await until(() => host.stats().ready === (options.workers ?? 2), "all workers are ready");
  return { releases, host };
}

/** Calls without a pause and checks each answer, until it is told to stop; then settles with how many there were. */
function load(host: Host, callers: number): { stop(): Promise<number> } {
  let going = true;
  let n = 0;
  const call = async (): Promise<void> => {
    while (going) {
      const mine = ++n;
      const replies: Reply[] = [];
      const given = { n: mine, milliseconds: 5 + (mine % 10) };
      const onReply = (reply: Reply): number => replies.push(reply);
      const result = await host.call<Worked>("work", given, { onReply });
      const [reply] = replies;
      assert.equal(replies.length, 1);
      assert.deepEqual(result, {
        n: mine,
        versions: [reply?.generation, reply?.generation],
        pid: reply?.workerPid,
      });
    }
  };
  const all = Promise.all(Array.from({ length: callers }, call));
  all.catch(() => undefined); // stop tells
  return {
    stop: async () => {
      going = false;
      await all;
      return n;
    },
  };
}

describe("a reload", { concurrency: 3 }, () => {
  const storm = async (
    t: TestContext,
    reloads: number,
    callers: number,
    options: Options,
  ): Promise<void> => {
    const { releases, host } = await startRelease(t, options);
    const calls = load(host, callers);
    const seen = { ready: 0, draining: 0, alive: 0 };
    const look = (): void => {
      const { ready, draining } = host.stats();
      seen.ready = Math.max(seen.ready, ready);
      seen.draining = Math.max(seen.draining, draining);
    };
    const clock = setInterval(look, 1);
    for (let version = 2; version <= 1 + reloads; version++) {
      releases.deploy(version);
      await host.reload();
      seen.alive = Math.max(seen.alive, releases.pids().filter(isAlive).length);
      assert.equal(await host.call("version"), version);
    }
    clearInterval(clock);
    const made = await calls.stop();
    const stats = host.stats();
    assert.deepEqual(stats.failed, {});
    assert.deepEqual(stats.reloads, { succeeded: reloads, failed: 0 });
    assert.equal(stats.generation, 1 + reloads);
    assert.equal(stats.restarts, 0);
    assert.equal(stats.succeeded, made + reloads);
    assert.ok(seen.ready <= 3 && seen.draining <= 2 && seen.alive <= 5, JSON.stringify(seen));
  };

  test("fails no call under load, again and again, and each is answered wholly by the generation that its reply tells", async (t) => {
    await storm(t, 8, 16, {});
  });

  test("fails no call that waits in a full queue", async (t) => {
    await storm(t, 3, 9, { concurrency: 1, queueLimit: 8 });
  });

  test("lets calls that were given a worker run there, when no other has room", async (t) => {
    const options = { workers: 1, concurrency: 3, queueLimit: 0, inTurn: true };
    const { releases, host } = await startRelease(t, options);
    const [go, flag] = [releases.path("go"), releases.path("flag")];
    const blocking = host.call("block", go);
    const behind = [host.call("version"), host.call("version")];
    releases.deploy(2);
    await host.reload();
    const held = [1, 2, 3].map(() => host.call("hold", flag));
    await until(() => host.stats().inFlight === 6, "both workers are full");
    writeFileSync(go, "");
    assert.equal(await blocking, 1);
    assert.deepEqual(await Promise.all(behind), [1, 1]);
    writeFileSync(flag, "");
    assert.deepEqual(await Promise.all(held), [2, 2, 2]);
  });

  test("fails no call that waits for its turn", async (t) => {
    await storm(t, 3, 9, { concurrency: 4, queueLimit: 2, inTurn: true });
  });

  test("lets running calls finish with the old code, which ends then", async (t) => {
    const { releases, host } = await startRelease(t, { workers: 1 });
    const flag = releases.path("flag");
    const old = await host.call<number>("pid");
    const held = host.call("hold", flag);
    releases.deploy(2);
    await host.reload();
    assert.equal(await host.call("version"), 2);
    assert.deepEqual(
      host.stats().workers.map(({ generation, inFlight }) => ({ generation, inFlight })),
      [
        { generation: 1, inFlight: 1 },
        { generation: 2, inFlight: 0 },
      ],
    );
    writeFileSync(flag, "");
    assert.equal(await held, 1);
    await until(() => !isAlive(old), "the old worker has ended");
  });

  test("cuts off a call that outlives drainTimeout, and says so", async (t) => {
    const { releases, host } = await startRelease(t, { workers: 1, drainTimeout: 100 });
    const pid = await host.call<number>("pid");
    const replies: Reply[] = [];
    const call = failure(
      host.call("never", undefined, { onReply: (reply) => replies.push(reply) }),
      "worker_crashed",
    );
    await until(() => host.stats().inFlight === 1, "the call runs");
    releases.deploy(2);
    await host.reload();
    const error = await call;
    assert.match(error.message, /cut off by a reload.*100 ms .*option drainTimeout/);
    assert.equal(error.workerPid, pid);
    assert.deepEqual(replies, []);
  });

  test("waits with the next old worker while as many linger as there are workers", async (t) => {
    const { releases, host } = await startRelease(t, { workers: 1, drainTimeout: 60_000 });
    const flags = [releases.path("one"), releases.path("two")] as const;
    const first = host.call("hold", flags[0]);
    await until(() => host.stats().inFlight === 1, "the call runs");
    releases.deploy(2);
    await host.reload();
    const second = host.call("hold", flags[1]);
    await until(() => host.stats().inFlight === 2, "the other call runs");
    releases.deploy(3);
    let reloaded = false;
    const reload = host.reload().then(() => {
      reloaded = true;
    });
    await until(() => host.stats().generation === 3, "the newest code takes calls");
    const { ready, draining } = host.stats();
    assert.deepEqual({ ready, draining, reloaded }, { ready: 2, draining: 1, reloaded: false });
    writeFileSync(flags[0], "");
    assert.equal(await first, 1);
    await reload;
    writeFileSync(flags[1], "");
    assert.equal(await second, 2);
    assert.equal(await host.call("version"), 3);
  });

  test("finds the files of the entry, and the working directory, where symlinks lead now", async (t) => {
    const { releases, host } = await startRelease(t);
    assert.equal(await host.call("cwd"), releases.folder(1));
    releases.deploy(2);
    await host.reload();
    assert.equal(await host.call("cwd"), releases.folder(2));
    releases.point(1);
    await host.call("die").catch(() => undefined);
    await until(() => host.stats().restarts === 1 && host.stats().ready === 2, "both are ready");
    for (let i = 0; i < 4; i++) assert.equal(await host.call("version"), 2); // not unasked
  });

  test("asked for many times at once happens twice", async (t) => {
    const { releases, host } = await startRelease(t);
    releases.deploy(2);
    const [first, ...others] = Array.from({ length: 10 }, () => host.reload());
    assert.equal(new Set(others).size, 1);
    await Promise.all([first, ...others]);
    assert.equal(releases.pids().length, 2 + 2 * 2);
    assert.deepEqual(host.stats().reloads, { succeeded: 2, failed: 0 });
  });

  test("asked for while another runs sees the files as of the asking", async (t) => {
    const { releases, host } = await startRelease(t);
    releases.deploy(2);
    const first = host.reload();
    await until(() => host.stats().generation === 2, "the first has its canary");
    releases.deploy(3);
    const second = host.reload();
    await first;
    await second;
    for (let i = 0; i < 4; i++) assert.equal(await host.call("version"), 3);
  });

  test("tells which generation threw, too", async (t) => {
    const { host } = await startRelease(t);
    const replies: Reply[] = [];
    const options = { onReply: (reply: Reply) => replies.push(reply) };
    await failure(host.call("nope", undefined, options), "method_not_found");
    assert.equal(replies[0]?.generation, 1);
  });

  test("rejects a call with what its onReply throws, and no other", async (t) => {
    const { host } = await startRelease(t, { workers: 1 });
    const onReply = (): never => {
      throw new Error("of the caller");
    };
    const other = host.call("version");
    await assert.rejects(host.call("version", undefined, { onReply }), /of the caller/);
    assert.equal(await other, 1);
  });

  test("and the replacement of another worker do not start one at the same time", async (t) => {
    const { logger, lines } = collectLogs();
    const options = { logger, concurrency: 2, killGrace: 1_500, bootTimeout: 60_000 };
    const { releases, host } = await startRelease(t, options);
    const go = releases.path("go");
    releases.deploy(2, `while (!existsSync(${JSON.stringify(go)})) block(5);`);
    const reload = host.reload();
    await until(() => releases.pids().length === 3, "the new code is being loaded");
    const replies: Reply[] = [];
    await failure(host.call("never", undefined, { timeout: 50 }), "deadline_exceeded");
    const asked = (): boolean => lines.some(({ message }) => message === "worker will be replaced");
    await until(asked, "a worker wants to be replaced");
    await wait(1_000); // longer than a start takes
    assert.equal(releases.pids().length, 3);
    await host.call("version", undefined, { onReply: (reply) => replies.push(reply) });
    assert.equal(replies[0]?.generation, 1);
    writeFileSync(go, "");
    await reload;
    await until(() => host.stats().draining === 0, "the old workers have ended");
    assert.deepEqual(
      host.stats().workers.map(({ generation }) => generation),
      [2, 2],
    );
    assert.equal(releases.pids().length, 4); // not twice
  });

  test("replaces the worker of a source too", async (t) => {
    const host = await startHost(t, { source: "export const pid = () => process.pid;" });
    const pid = await host.call("pid");
    await host.reload();
    assert.notEqual(await host.call("pid"), pid);
  });
});

describe("a reload whose new code does not load", { concurrency: 3 }, () => {
  const attempt = async (t: TestContext, extra: string, words: RegExp, options: Options = {}) => {
    const { logger, lines } = collectLogs();
    const { releases, host } = await startRelease(t, { logger, ...options });
    const calls = load(host, 4);
    const before = host.stats().workers.map(({ pid }) => pid);
    releases.deploy(2, extra);
    const error = await failure(host.reload(), "boot_failed");
    assert.match(error.message, words);
    const { generation, reloads, workers } = host.stats();
    assert.deepEqual(
      { generation, reloads },
      { generation: 1, reloads: { succeeded: 0, failed: 1 } },
    );
    assert.deepEqual(
      workers.map(({ pid }) => pid),
      before,
    );
    assert.ok(await calls.stop());
    const logged = lines.filter(({ message }) => message.startsWith("reload failed"));
    assert.deepEqual(
      logged.map(({ level }) => level),
      ["error"],
    );
    assert.match(logged[0]?.message ?? "", /generation 1 goes on: boot_failed/);
    releases.deploy(3);
    await host.reload();
    assert.deepEqual(host.stats().reloads, { succeeded: 1, failed: 1 });
    assert.equal((await host.call<Worked>("work", { n: 1, milliseconds: 0 })).versions[0], 3);
    return error;
  };

  test("for a syntax error leaves the old one serving", async (t) => {
    await attempt(t, "exports.a = (;", /SyntaxError/);
  });

  test("for a missing package leaves the old one serving", async (t) => {
    await attempt(t, 'require("no-such-package");', /no-such-package/);
  });

  test("for a throw leaves the old one serving, and tells what it printed", async (t) => {
    const extra =
      'require("node:fs").writeSync(2, "looking\\n"); throw new TypeError("no config");';
    const error = await attempt(t, extra, /no config/);
    assert.match(error.stderr ?? "", /looking/);
    assert.match(String((error.cause as Error).stack), /releases\/2\/index\.js/);
  });

  test("for process.exit leaves the old one serving", async (t) => {
    await attempt(t, "process.exit(0);", /process\.exit\(0\)/);
  });

  test("for a load without end leaves the old one serving", async (t) => {
    await attempt(t, endless, /not ready within 5000 ms/, { bootTimeout: 5_000 });
  });

  test("loads nothing of it later, when a worker must be started", async (t) => {
    const { logger, lines } = collectLogs();
    const { releases, host } = await startRelease(t, { workers: 1, logger });
    releases.deploy(2, "throw new Error('broken');");
    await failure(host.reload(), "boot_failed");
    await failure(host.call("die"), "worker_crashed");
    assert.equal(await host.call("version"), 1);
    assert.equal(await host.call("cwd"), releases.folder(1));
    assert.equal(host.stats().workers[0]?.generation, 1);
    assert.ok(lines.some(({ message }) => message.includes("after a failed reload")));
  });

  test("leaves the working directory of the old one where it was, too", async (t) => {
    const releases = new Releases(t);
    releases.deploy(1);
    const dir = dirname(releases.entry);
    const host = await startHost(t, { entry: releases.entry, dir });
    releases.deploy(2, "throw new Error('broken');");
    await failure(host.reload(), "boot_failed");
    await failure(host.call("die"), "worker_crashed");
    assert.equal(await host.call("cwd"), releases.folder(1));
  });

  test("for files that are gone leaves the old one serving", async (t) => {
    const { releases, host } = await startRelease(t);
    releases.point(99);
    const error = await failure(host.reload(), "boot_failed");
    assert.match(error.message, /entry: expected a file/);
    assert.equal(await host.call("version"), 1);
  });

  test("in one of its workers says so, and goes on trying", async (t) => {
    const { releases, host } = await startRelease(t);
    const mark = JSON.stringify(releases.path("loaded"));
    const extra = `
      if (existsSync(${mark})) throw new Error("one is enough");
      require("node:fs").writeFileSync(${mark}, "");`;
    releases.deploy(2, extra);
    const error = await failure(host.reload(), "boot_failed");
    assert.match(error.message, /generation 2 has taken over, but .*one is enough/);
    const generations = () => host.stats().workers.map(({ generation }) => generation);
    await until(
      () => generations().sort().join() === "1,2",
      "the worker that was replaced has ended",
    );
    const all = (): boolean => host.stats().workers.every(({ generation }) => generation === 2);
    const clock = setInterval(() => rmSync(releases.path("loaded"), { force: true }), 10);
    t.after(() => clearInterval(clock));
    await until(() => all() && host.stats().ready === 2, "all workers have the new code");
    assert.deepEqual(host.stats().failed, {});
  });
});

/** Code that never returns, and costs the other tests nothing. */
const endless = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";

describe("a reload without any worker", { concurrency: 3 }, () => {
  test("puts one into the place of one that can't be started", async (t) => {
    const { releases, host } = await startRelease(t, { workers: 1 });
    releases.change(1, "index.js", "throw new Error('broken in place')");
    await failure(host.call("die"), "worker_crashed");
    await failure(host.call("version"), "worker_unavailable");
    releases.write(1);
    await host.reload();
    assert.equal(await host.call("version"), 1);
    assert.equal(host.stats().generation, 2);
  });

  test("does not wait for a worker of the old code that does not load", async (t) => {
    const { releases, host } = await startRelease(t, { bootTimeout: 60_000 });
    releases.change(1, "version.js", endless);
    const dead = host.call("die").catch(() => undefined);
    await Promise.all([dead, host.call("die").catch(() => undefined)]);
    await until(() => releases.pids().length >= 3, "a worker loads the broken files");
    releases.deploy(2);
    await host.reload();
    assert.deepEqual(
      host.stats().workers.map(({ generation }) => generation),
      [2, 2],
    );
    assert.equal(await host.call("version"), 2);
    const [, , ...stuck] = releases.pids();
    await until(() => stuck.filter(isAlive).length === 2, "only the new workers are left");
  });
});

describe("close during a reload", { concurrency: 3 }, () => {
  test("ends the worker that was starting, and the reload, and the one that waits, with closed", async (t) => {
    const { releases, host } = await startRelease(t, { bootTimeout: 60_000 });
    releases.deploy(2, endless);
    const running = failure(host.reload(), "closed");
    const waiting = failure(host.reload(), "closed");
    await until(() => releases.pids().length === 3, "the new code is being loaded");
    await host.close();
    await Promise.all([running, waiting]);
    await failure(host.reload(), "closed");
    assert.deepEqual(host.stats().reloads, { succeeded: 0, failed: 0 });
    assert.deepEqual(releases.pids().filter(isAlive), []);
  });

  test("does not wait for the drain of old workers longer than it may", async (t) => {
    const { releases, host } = await startRelease(t, { workers: 1, drainTimeout: 60_000 });
    const old = failure(host.call("never"), "closed");
    await until(() => host.stats().inFlight === 1, "the call runs");
    releases.deploy(2);
    await host.reload();
    const later = failure(host.call("never"), "closed");
    await until(() => host.stats().inFlight === 2, "the other call runs");
    const reload = failure(host.reload(), "closed");
    await until(() => host.stats().ready === 2, "the reload waits for the first to end");
    await failure(host.shutdown({ timeout: 10 }), "deadline_exceeded");
    await Promise.all([old, later, reload]);
  });

  test("settles wherever the reload is", async (t) => {
    for (let turn = 0; turn < 8; turn++) {
      const { releases, host } = await startRelease(t);
      const calls = Array.from({ length: 8 }, (_, n) => host.call("work", { n, milliseconds: 20 }));
      releases.deploy(2);
      const reload = host.reload().catch((error) => error.code);
      await wait(turn * 60);
      await host.close();
      await Promise.all(calls);
      assert.ok([undefined, "closed"].includes(await reload));
      assert.deepEqual(releases.pids().filter(isAlive), []);
    }
  });
});
