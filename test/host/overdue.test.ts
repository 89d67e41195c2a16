import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { failure, fixture, isAlive, startHost, temporaryFolder, until } from "../support/host.ts";

describe("an overdue call", { concurrency: true }, () => {
  test("ends for its caller, and its late reply is dropped and counted", async (t) => {
    const host = await startHost(t);
    const error = await failure(host.call("sleep", 1_500, { timeout: 500 }), "deadline_exceeded");
    assert.match(error.message, /within 500 ms .*while running/);
    assert.equal(host.stats().lateReplies, 0);
    assert.equal(await host.call("echo", "next"), "next");
    await until(() => host.stats().lateReplies === 1, "the late reply has come");
    assert.equal(host.stats().inFlight, 0);
    assert.equal(host.stats().failed.deadline_exceeded, 1);
  });

  test("keeps its place until it settles", async (t) => {
    const host = await startHost(t, { concurrency: 1, queueLimit: 0, killGrace: 60_000 });
    await failure(host.call("sleep", 1_500, { timeout: 500 }), "deadline_exceeded");
    await failure(host.call("echo", 1), "overloaded");
    await until(() => host.stats().inFlight === 0, "the call has settled");
    assert.equal(await host.call("echo", 1), 1);
  });

  test("is seen by the function as an aborted signal, as is one that its caller gave up", async (t) => {
    const host = await startHost(t, { entry: fixture("modern.mjs") });
    const folder = temporaryFolder(t);
    const [late, left] = [join(folder, "late"), join(folder, "left")];
    await failure(host.call("waitForAbort", late, { timeout: 500 }), "deadline_exceeded");
    const caller = new AbortController();
    const call = failure(host.call("waitForAbort", left, { signal: caller.signal }), "canceled");
    await until(() => host.stats().workers[0]?.calls === 2, "the call is on its way");
    caller.abort(new Error("went home"));
    assert.equal(((await call).cause as Error).message, "went home");
    await until(() => existsSync(late) && existsSync(left), "both were told");
    assert.equal(readFileSync(late, "utf8"), "TimeoutError");
    assert.equal(readFileSync(left, "utf8"), "AbortError");
  });

  test("that was given up before it began is never sent", async (t) => {
    const host = await startHost(t);
    await failure(host.call("echo", 1, { signal: AbortSignal.abort() }), "canceled");
    assert.equal(host.stats().workers[0]?.calls, 0);
  });

  test("in a loop without end has its worker killed and replaced", async (t) => {
    const host = await startHost(t, { killGrace: 100 });
    const pid = await host.call<number>("pid");
    const loop = failure(host.call("loop", undefined, { timeout: 100 }), "deadline_exceeded");
    const neighbour = await failure(host.call("echo", 1), "worker_crashed");
    assert.match(neighbour.message, /event loop was blocked for 100 ms/);
    await loop;
    assert.notEqual(await host.call("pid"), pid);
    assert.equal(host.stats().restarts, 1);
    assert.equal(isAlive(pid), false);
  });

  const loops = {
    "prints all the time": "for (;;) console.log('x');",
    "prints now and then":
      "for (;;) { console.log('x'); const end = Date.now() + 5; while (Date.now() < end); }",
  };
  for (const [what, loop] of Object.entries(loops)) {
    test(`in a loop without end that ${what} has its worker killed and replaced`, async (t) => {
      const source = `export const loop = () => { ${loop} }; export const pid = () => process.pid;`;
      const host = await startHost(t, { source, killGrace: 400 });
      const pid = await host.call<number>("pid");
      await failure(host.call("loop", undefined, { timeout: 100 }), "deadline_exceeded");
      assert.notEqual(await host.call("pid"), pid);
    });
  }

  test("puts its worker under suspicion, which gets no new calls until it answers", async (t) => {
    const host = await startHost(t, { killGrace: 300 });
    await failure(host.call("loop", undefined, { timeout: 500 }), "deadline_exceeded");
    const { ready, suspect } = host.stats();
    assert.deepEqual({ ready, suspect }, { ready: 0, suspect: 1 });
    assert.equal(await host.call("echo", "next"), "next");
    assert.deepEqual(host.stats().failed, { deadline_exceeded: 1 });
  });

  test("in a loop without end leaves other workers alone", async (t) => {
    const host = await startHost(t, { workers: 2, killGrace: 100, concurrency: 1 });
    await until(() => host.stats().ready === 2, "both workers are ready");
    const loop = failure(host.call("loop", undefined, { timeout: 200 }), "deadline_exceeded");
    let rounds = 0;
    while (host.stats().restarts === 0) {
      assert.equal(await host.call("echo", rounds), rounds);
      rounds++;
    }
    await loop;
    assert.ok(rounds > 0);
  });

  test("that is slow but lets the loop turn does not cost its neighbours anything", async (t) => {
    const host = await startHost(t, { killGrace: 1_500 });
    const pid = await host.call("pid");
    const neighbour = host.call("sleep", 3_600);
    await failure(host.call("sleep", 3_500, { timeout: 500 }), "deadline_exceeded");
    assert.equal(await neighbour, 3_600);
    assert.equal(await host.call("pid"), pid);
    assert.equal(host.stats().restarts, 0);
  });

  test("has its worker replaced, new first, when half of the places hold such calls", async (t) => {
    const host = await startHost(t, { concurrency: 4, killGrace: 2_000, drainTimeout: 200 });
    const pid = await host.call<number>("pid");
    const never = () =>
      failure(host.call("never", undefined, { timeout: 1_000 }), "deadline_exceeded");
    const overdue = Promise.all([never(), never()]);
    // One that expires before it is sent holds no place.
    await until(() => host.stats().workers[0]?.calls === 3, "both are on their way");
    await overdue;
    while ((await host.call("pid")) === pid); // no call fails meanwhile
    await until(() => host.stats().draining === 0, "the old worker has ended");
    assert.equal(isAlive(pid), false);
    const { restarts, ready, draining, inFlight } = host.stats();
    assert.deepEqual(
      { restarts, ready, draining, inFlight },
      { restarts: 1, ready: 1, draining: 0, inFlight: 0 },
    );
  });

  test("takes the children of a killed worker along", async (t) => {
    const host = await startHost(t, { killGrace: 100 });
    const child = await host.call<number>("spawn");
    assert.equal(isAlive(child), true);
    await failure(host.call("loop", undefined, { timeout: 100 }), "deadline_exceeded");
    await until(() => !isAlive(child), "the child has ended");
  });
});

describe("a call that its caller gave up", { concurrency: true }, () => {
  const source = `
    export const block = (ms) => { const end = Date.now() + ms; while (Date.now() < end); return ms; };
    export const echo = (value) => value;`;

  test("costs no other caller's call, however long that holds the loop", async (t) => {
    const host = await startHost(t, { source, killGrace: 1_000 });
    const caller = new AbortController();
    const block = host.call("block", 3_000);
    const echo = failure(host.call("echo", 1, { signal: caller.signal }), "canceled");
    await until(() => host.stats().workers[0]?.calls === 2, "both calls are on their way");
    caller.abort();
    await echo;
    assert.equal(host.stats().suspect, 1);
    assert.equal(await block, 3_000);
    assert.equal(await host.call("echo", 2), 2);
    assert.equal(host.stats().restarts, 0);
  });

  test("has its worker killed once nobody waits for another call on it", async (t) => {
    const host = await startHost(t, { source, killGrace: 200 });
    const caller = new AbortController();
    const block = failure(host.call("block", 60_000, { signal: caller.signal }), "canceled");
    await until(() => host.stats().workers[0]?.calls === 1, "the call is on its way");
    caller.abort();
    await block;
    assert.equal(await host.call("echo", 1), 1);
    assert.equal(host.stats().restarts, 1);
  });

  test("and one that is overdue have their worker killed", async (t) => {
    const host = await startHost(t, { source, killGrace: 200 });
    const caller = new AbortController();
    const late = failure(host.call("block", 60_000, { timeout: 600 }), "deadline_exceeded");
    const third = failure(host.call("echo", 1), "worker_crashed");
    const echo = failure(host.call("echo", 1, { signal: caller.signal }), "canceled");
    await until(() => host.stats().workers[0]?.calls === 3, "the calls are on their way");
    caller.abort();
    await Promise.all([echo, late, third]);
    assert.equal(await host.call("echo", 2), 2);
    assert.equal(host.stats().restarts, 1);
  });
});
