import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Kind } from "../../protocol/frame.ts";
import { decodeGoaway } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const FILE = "process/ends.js";

test("process.exit in a call is told with the caller's stack, after everything before it", async (t) => {
  const peer = await Peer.start(t, FILE);
  const waiting = peer.sendCall("never");
  const answered = peer.sendCall("echo", "x".repeat(200_000));
  peer.sendCall("exit", 3);
  const error = await peer.fatal();
  assert.equal(error.code, "worker_crashed");
  assert.match(error.message, /process\.exit\(3\) was called/);
  assert.match(error.stack ?? "", /exports\.exit .*ends\.js:7/);
  assert.deepEqual(await peer.exited, { code: 3, signal: null });
  assert.equal((await peer.answer(answered)).error, undefined);
  assert.equal((await peer.log("unfinished")).source, "stdout");
  assert.equal(
    peer.frames.some(({ id }) => id === waiting),
    false,
  );
});

test("process.exit(0) in a timer of a call ends it as a crash, with the code's own exit code", async (t) => {
  const peer = await Peer.start(t, FILE);
  peer.sendCall("exitLater");
  assert.match((await peer.fatal()).message, /process\.exit\(4\)/);
  assert.deepEqual(await peer.exited, { code: 4, signal: null });
  const zero = await Peer.start(t, FILE);
  zero.sendCall("exit", 0);
  assert.equal((await zero.fatal()).code, "worker_crashed");
  assert.deepEqual(await zero.exited, { code: 0, signal: null });
});

test("process.exitCode does not change how a goaway ends", async (t) => {
  const peer = await Peer.start(t, FILE);
  await peer.call("exitCode");
  await peer.goaway();
});

test("an uncaught exception after its call was answered sends goaway and the error, and exits with 1", async (t) => {
  const peer = await Peer.start(t, FILE);
  assert.equal(await peer.call("throwLater", 10), "answered");
  const error = await peer.fatal();
  assert.deepEqual(
    [error.code, error.name, error.message],
    ["worker_crashed", "TypeError", "uncaught exception: nobody caught this"],
  );
  assert.match(error.stack ?? "", /ends\.js/);
  const goaway = await peer.next(({ kind }) => kind === Kind.Goaway);
  assert.deepEqual(decodeGoaway(goaway.meta), {
    reason: "uncaught exception: nobody caught this",
    lastId: 1,
  });
  assert.ok(peer.frames.indexOf(goaway) < peer.frames.findIndex(({ kind }) => kind === Kind.Error));
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
});

test("calls beside an uncaught exception get their answers if they come within a second", async (t) => {
  const peer = await Peer.start(t, FILE);
  const neighbour = peer.sendCall("wait", 300);
  const stuck = peer.sendCall("throwAndWait");
  await peer.fatal();
  assert.equal((await peer.answer(neighbour)).value, "waited");
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
  assert.equal(
    peer.frames.some(({ id, kind }) => id === stuck && kind !== Kind.Log),
    false,
  );
});

test("an uncaught exception before any call says that none was started", async (t) => {
  const source =
    "setTimeout(() => { throw new Error('too early') }, 50); export const f = () => 1;";
  const peer = await Peer.start(t, { source });
  const goaway = await peer.next(({ kind }) => kind === Kind.Goaway);
  assert.deepEqual(decodeGoaway(goaway.meta), {
    reason: "uncaught exception: too early",
    lastId: 0,
  });
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
});

test("a call that comes after an uncaught exception is not started and not answered", async (t) => {
  const peer = await Peer.start(t, FILE);
  peer.sendCall("throwAndWait");
  const goaway = await peer.next(({ kind }) => kind === Kind.Goaway);
  const late = peer.sendCall("echo", 1);
  assert.ok(late > (decodeGoaway(goaway.meta).lastId ?? 0));
  await peer.exited;
  assert.equal(
    peer.frames.some(({ id }) => id === late),
    false,
  );
});

const FATAL: Record<string, RegExp> = {
  throwText: /uncaught exception: just text/,
  throwUndefined: /uncaught exception: undefined was thrown/,
  errorEvent: /uncaught exception: an error event/,
  reject: /unhandled rejection: rejected and forgotten/,
  rejectText: /unhandled rejection: .*text reason/,
};

for (const [method, message] of Object.entries(FATAL)) {
  test(`${method}: whatever nobody caught is told, and the worker exits with 1`, async (t) => {
    const peer = await Peer.start(t, FILE);
    peer.sendCall(method);
    const error = await peer.fatal();
    assert.equal(error.code, "worker_crashed");
    assert.match(error.message, message);
    assert.deepEqual(await peer.exited, { code: 1, signal: null });
  });
}

test("code with an uncaughtException handler of its own keeps Node's semantics", async (t) => {
  const peer = await Peer.start(t, "process/handlers.js");
  assert.deepEqual(await peer.call("listeners"), [1, 0]);
  await peer.call("throwLater");
  await peer.call("reject");
  while (((await peer.call("seen")) as unknown[]).length < 2);
  const seen = (await peer.call("seen")) as string[][];
  assert.deepEqual(Object.fromEntries(seen), {
    handled: "uncaughtException",
    "handled rejection": "unhandledRejection",
  });
  await peer.goaway();
});

test("code with an unhandledRejection handler of its own keeps Node's semantics", async (t) => {
  const peer = await Peer.start(t, "process/rejection-handler.js");
  await peer.call("reject");
  while (((await peer.call("seen")) as unknown[]).length < 1);
  assert.deepEqual(await peer.call("seen"), ["handled rejection"]);
  await peer.goaway();
});

test("code sees no listener of the worker, and removing all of them silences no crash", async (t) => {
  const peer = await Peer.start(t, "process/removes-listeners.js");
  assert.deepEqual(await peer.call("listeners"), [0, 0, 0, 0]);
  await peer.call("throwLater");
  assert.match((await peer.fatal()).message, /after all/);
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
});

test("exit handlers run, and what they print is logged", async (t) => {
  for (const end of ["goaway", "closeInput", "exit"] as const) {
    const peer = await Peer.start(t, "process/exit-handlers.js");
    if (end === "goaway") await peer.goaway();
    else if (end === "closeInput") peer.closeInput();
    else peer.sendCall("exit", 5);
    const code = end === "exit" ? 5 : 0;
    assert.deepEqual(await peer.exited, { code, signal: null });
    await peer.log(`leaving with ${code}`);
    await peer.log("half a line");
  }
});

test("an exit handler that exits again ends the worker with its code", async (t) => {
  const peer = await Peer.start(t, "process/exit-handlers.js");
  peer.sendCall("exitInHandler");
  assert.match((await peer.fatal()).message, /process\.exit\(7\)/);
  assert.deepEqual(await peer.exited, { code: 8, signal: null });
});

test("an exit handler that throws is shown and can't keep the worker", async (t) => {
  const peer = await Peer.start(t, "process/exit-throws.js");
  const last = peer.sendCall("later", 1, { convention: "callback" });
  peer.send({ kind: Kind.Goaway });
  assert.equal((await peer.answer(last)).value, 1);
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
  assert.match(peer.stderr, /^Error: from an exit handler\n {4}at /m);
});

test("an answer of megabytes is written whole before an exit", async (t) => {
  const peer = await Peer.start(t, "process/big-exit.js");
  peer.setReading(false);
  const big = peer.sendCall("big", 5_000_000);
  peer.sendCall("exit");
  peer.setReading(true);
  assert.equal(((await peer.answer(big)).value as string).length, 5_000_000);
  assert.equal((await peer.fatal()).code, "worker_crashed");
  assert.deepEqual(await peer.exited, { code: 3, signal: null });
});

test("a last answer is written whole to a host that reads slowly", async (t) => {
  const peer = await Peer.start(t, "process/big-exit.js");
  peer.setReading(false);
  const big = peer.sendCall("big", 20_000_000);
  peer.send({ kind: Kind.Goaway });
  const slow = Date.now() + 3_000; // longer than a host may take nothing
  while (Date.now() < slow) {
    await delay(100);
    peer.setReading(true);
    await delay(1);
    peer.setReading(false);
  }
  peer.setReading(true);
  assert.equal(((await peer.answer(big)).value as string).length, 20_000_000);
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
});

test("a host that does not read can't keep a worker from exiting", async (t) => {
  const peer = await Peer.start(t, "process/big-exit.js");
  peer.setReading(false);
  peer.sendCall("big", 5_000_000);
  peer.sendCall("exit");
  const code = await new Promise((resolve) => peer.child.on("exit", resolve));
  assert.equal(code, 3);
});

test("a host that stops reading can't keep a worker from exiting, whatever it took before", async (t) => {
  const peer = await Peer.start(t, "process/big-exit.js");
  peer.setReading(false);
  peer.sendCall("big", 20_000_000);
  peer.sendCall("exit");
  await delay(500);
  peer.setReading(true);
  await delay(1);
  peer.setReading(false);
  assert.equal(await new Promise((resolve) => peer.child.on("exit", resolve)), 3);
});

test("process.chdir changes nothing for later loads", async (t) => {
  const peer = await Peer.start(t, FILE);
  await peer.call("chdir", tmpdir());
  assert.equal(await peer.call("lazy"), "lazy");
  assert.equal(await peer.call("lazyModule"), "lazy module");
  await peer.goaway();
});

test("SIGTERM is the code's own: by default it ends the worker, a handler may ignore it", async (t) => {
  const peer = await Peer.start(t, FILE);
  peer.child.kill("SIGTERM");
  assert.deepEqual(await peer.exited, { code: null, signal: "SIGTERM" });
  const deaf = await Peer.start(t, "process/signals.js");
  deaf.child.kill("SIGTERM");
  await deaf.log("SIGTERM ignored");
  assert.equal(await deaf.call("echo", 1), 1);
  await deaf.goaway();
});

for (const method of ["interval", "thread", "child", "server"]) {
  test(`what a call leaves behind (${method}) keeps no worker from ending`, async (t) => {
    const peer = await Peer.start(t, "process/leftovers.js");
    await peer.call(method);
    assert.equal(await peer.call("echo", 1), 1);
    await peer.goaway();
    const other = await Peer.start(t, "process/leftovers.js");
    await other.call(method);
    other.closeInput();
    assert.deepEqual(await other.exited, { code: 0, signal: null });
  });
}

test("what a worker thread prints is logged", async (t) => {
  const peer = await Peer.start(t, "process/leftovers.js");
  await peer.call("thread");
  assert.equal((await peer.log("from a thread")).source, "stdout");
});

test("an abort is seen as the worker's end, and answers nothing", async (t) => {
  const peer = await Peer.start(t, FILE);
  peer.sendCall("abort");
  assert.equal((await peer.exited).signal, "SIGABRT");
  assert.equal(
    peer.frames.some(({ kind }) => kind === Kind.Reply),
    false,
  );
});
