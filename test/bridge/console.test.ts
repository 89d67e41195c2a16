import assert from "node:assert/strict";
import { test } from "node:test";
import { type Log, Peer } from "../support/peer.ts";
import { fixture, type WorkerOptions } from "../support/worker-process.ts";

const FREEZES = fixture("console/freezes.cjs");

/** Method, then level, source and text of the lines that it prints. */
const PRINTED: [string, [string, string, RegExp][]][] = [
  ["log", [["info", "console", /^answer is 42 \{ nested: \{ deep: \{ er: \[Array\] \} \} \}$/]]],
  ["info", [["info", "console", /^info$/]]],
  ["debug", [["debug", "console", /^debug$/]]],
  ["warn", [["warn", "console", /^warn$/]]],
  ["error", [["error", "console", /^TypeError: shown\n {4}at .*methods\.js/]]],
  ["trace", [["debug", "console", /^Trace: traced\n {4}at /]]],
  ["assert", [["error", "console", /^Assertion failed: asserted so$/]]],
  ["assertTrue", []],
  ["dir", [["info", "console", /^\{ a: \[Object\] \}$/]]],
  ["table", [["info", "console", /^┌.*┘$/s]]],
  [
    "group",
    [
      ["info", "console", /^outer$/],
      ["info", "console", /^ {2}inner$/],
      ["info", "console", /^after$/],
    ],
  ],
  ["count", [["info", "console", /^things: 1$/]]],
  ["time", [["info", "console", /^t: \d/]]],
  ["empty", [["info", "console", /^$/]]],
  ["multi", [["info", "console", /^one\ntwo\n$/]]],
  ["own", [["info", "stdout", /^own console$/]]],
  ["ownError", [["warn", "stderr", /^own error$/]]],
  ["callback", [["info", "stdout", /^with callback$/]]],
  ["returns", [["info", "stdout", /^returns$/]]],
  ["hex", [["info", "stdout", /^hex!$/]]],
];

for (const [method, expected] of PRINTED) {
  test(`console: ${method} becomes lines of the call's log, formatted as Node does`, async (t) => {
    const peer = await Peer.start(t, "console/methods.js");
    await peer.call("run", method, { traceId: "t-7" });
    await peer.goaway();
    assert.equal(peer.logs.length, expected.length, JSON.stringify(peer.logs));
    for (const [i, [level, source, text]] of expected.entries()) {
      const log = peer.logs[i] as Log;
      assert.deepEqual(
        [log.level, log.source, log.method, log.traceId],
        [level, source, "run", "t-7"],
      );
      assert.match(log.text, text);
    }
  });
}

test("process.stdout keeps a stream's manners", async (t) => {
  const peer = await Peer.start(t, "console/methods.js");
  assert.equal(await peer.call("run", "wrongChunk"), "ERR_INVALID_ARG_TYPE");
  assert.equal(await peer.call("run", "returns"), true);
  assert.equal(await peer.call("run", "isOwn"), true);
  assert.deepEqual(await peer.call("run", "tty"), [false, false]);
  assert.equal(await peer.call("run", "inspect"), "log");
  assert.equal(await peer.call("run", "callback"), null);
  await peer.call("run", "pipe");
  await peer.log("piped text");
  await peer.call("run", "warning");
  assert.equal((await peer.log("a warning of the process")).source, "console");
  await peer.goaway();
});

test("lines are put together from pieces, and what is unfinished comes at the end", async (t) => {
  const peer = await Peer.start(t, "stdio/partial.js");
  for (const piece of ["one, ", "two", ", three\nfour\r\n", "\n", "fi", "ve"])
    await peer.call("half", piece);
  await peer.call("error", "to stderr\nunfinished");
  await peer.goaway();
  assert.deepEqual(
    peer.logs.map(({ source, text }) => [source, text]),
    [
      ["stdout", "one, two, three"],
      ["stdout", "four"],
      ["stdout", ""],
      ["stderr", "to stderr"],
      ["stdout", "five"],
      ["stderr", "unfinished"],
    ],
  );
});

test("a character split over two writes is whole, bytes that are no UTF-8 stay as they are", async (t) => {
  const peer = await Peer.start(t, "stdio/partial.js");
  await peer.call("bytes", [0xe2, 0x82]);
  await peer.call("bytes", [0xac, 0x0a]);
  await peer.call("bytes", [0xff, 0x00, 0x41, 0x0a]);
  await peer.goaway();
  assert.equal(peer.logs[0]?.text, "€");
  const raw = peer.frames
    .filter(({ kind }) => kind === 9)
    .map(({ payload }) => Buffer.from(payload));
  assert.deepEqual(raw[1], Buffer.from([0xff, 0x00, 0x41]));
});

test("lines of pino, bunyan and winston are records with their level", async (t) => {
  const peer = await Peer.start(t, "console/json-lines.js");
  const levels: [string, unknown, string][] = [
    ["pino", 10, "debug"],
    ["pino", 30, "info"],
    ["pino", 35, "info"],
    ["bunyan", 40, "warn"],
    ["pino", 60, "error"],
    ["winston", "silly", "debug"],
    ["winston", "http", "info"],
    ["winston", "warn", "warn"],
    ["winston", "ERROR", "error"],
  ];
  for (const [method, level] of levels) await peer.call(method, level, { traceId: "t-8" });
  await peer.call("stderr", 1);
  await peer.goaway();
  assert.deepEqual(
    peer.logs.map(({ level }) => level),
    [...levels.map(([, , level]) => level), "error"],
  );
  for (const log of peer.logs) {
    assert.deepEqual([log.source, log.json], ["log", true]);
    assert.equal(typeof JSON.parse(log.text), "object");
  }
  assert.equal(peer.logs[0]?.traceId, "t-8");
});

test("JSON that is no log record, or broken, or too long, is text", async (t) => {
  const peer = await Peer.start(t, "console/json-lines.js");
  for (const method of ["other", "data", "broken", "odd", "long"]) await peer.call(method);
  await peer.goaway();
  assert.equal(peer.logs.length, 6);
  for (const log of peer.logs)
    assert.deepEqual([log.source, log.json, log.level], ["stdout", false, "info"]);
  assert.match(peer.logs.at(-1)?.text ?? "", /^\{"level".*… \(\d+ more bytes\)$/);
});

test("a line of exactly 32,768 bytes is whole, a longer one is cut to that and says how much is missing", async (t) => {
  const source = "export const print = (size) => console.log('a'.repeat(size));";
  const peer = await Peer.start(t, { source });
  await peer.call("print", 32_768);
  await peer.call("print", 32_769);
  await peer.goaway();
  assert.equal(peer.logs[0]?.text, "a".repeat(32_768));
  const [, kept = "", missing] =
    /^(a+) … \((\d+) more bytes\)$/.exec(peer.logs[1]?.text ?? "") ?? [];
  assert.equal(kept.length + Number(missing), 32_769);
  assert.ok(Buffer.byteLength(peer.logs[1]?.text ?? "") <= 32_768);
});

test("lines of calls that run at the same time carry their own trace ids", async (t) => {
  const source = `export const talk = async (name) => {
    for (let i = 0; i < 20; i++) {
      console.log(name + " " + i);
      await new Promise((resolve) => setTimeout(resolve, i % 3));
    }
  };`;
  const peer = await Peer.start(t, { source });
  const names = ["a", "b", "c"];
  const ids = names.map((name) => peer.sendCall("talk", name, { traceId: `t-${name}` }));
  await Promise.all(ids.map((id) => peer.answer(id)));
  await peer.goaway();
  assert.equal(peer.logs.length, 60);
  for (const { text, traceId } of peer.logs) assert.equal(traceId, `t-${text[0]}`);
});

test("what is printed outside of calls has no method and no trace id", async (t) => {
  const peer = await Peer.start(t, { source: "console.log('loading'); export const f = () => 1;" });
  const log = await peer.log("loading");
  assert.deepEqual([log.method, log.traceId, log.level], [undefined, undefined, "info"]);
});

const FROZEN: Record<string, Partial<WorkerOptions>> = {
  "--frozen-intrinsics": { nodeArgs: ["--frozen-intrinsics", "--no-warnings"] },
  "a preload that freezes console": { nodeArgs: ["--require", FREEZES] },
  "that and a socket": { nodeArgs: ["--require", FREEZES], sockets: true },
};

for (const [what, options] of Object.entries(FROZEN)) {
  test(`with ${what} lines come without their console's level`, async (t) => {
    const peer = await Peer.start(t, { ...options, file: "console/methods.js" });
    await peer.call("run", "warn", { traceId: "t-9" });
    const { level, source, traceId } = await peer.log("warn");
    assert.deepEqual([level, source, traceId], ["warn", "stderr", "t-9"]);
    await peer.call("run", "info", { traceId: "t-9" });
    assert.equal((await peer.log("info")).source, "stdout");
    await peer.goaway();
  });
}

test("a frozen process.stdout is left alone", async (t) => {
  const env = { FREEZE_STREAM: "1" };
  const nodeArgs = ["--require", FREEZES];
  const peer = await Peer.start(t, { file: "calls/basic.js", nodeArgs, env });
  assert.equal(await peer.call("add", [1, 2]), 3);
  await peer.goaway();
});
