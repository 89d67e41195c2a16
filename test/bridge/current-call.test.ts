import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall, encodeCancel } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";
import { testNodeMajor } from "../support/worker-process.ts";

const FILE = "calls/signals.js";
/** From Node 24 on contexts are V8's, unless a flag says otherwise. */
const FLAGS_OF_CONTEXTS = testNodeMajor >= 24 ? ["", "--no-async-context-frame"] : [""];
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

interface Look {
  method: string;
  traceId?: string;
  traceparent?: string;
  deadline?: number;
  timeLeft: number | null;
  aborted: boolean;
}

test("currentCall tells method, trace, deadline and time left, after an await too", async (t) => {
  const peer = await Peer.start(t, FILE);
  const look = (await peer.call("look", 1, { traceId: "t-1", timeout: 5_000 })) as Look;
  assert.deepEqual([look.method, look.traceId, look.aborted], ["look", "t-1", false]);
  const { timeLeft, deadline = 0 } = look;
  assert.ok(timeLeft !== null && timeLeft > 0 && timeLeft <= 5_000, `${timeLeft}`);
  assert.ok(deadline > 0 && deadline <= 5_000, `${deadline}`);
  await peer.goaway();
});

test("without a timeout there is no deadline and infinite time left", async (t) => {
  const peer = await Peer.start(t, FILE);
  const look = (await peer.call("look", 1)) as Look;
  assert.deepEqual([look.deadline, look.timeLeft, look.traceId], [undefined, null, undefined]);
});

test("a traceparent gives the trace id where there is no other", async (t) => {
  const peer = await Peer.start(t, FILE);
  const look = (await peer.call("look", 1, { traceparent: TRACEPARENT })) as Look;
  assert.deepEqual(
    [look.traceId, look.traceparent],
    ["4bf92f3577b34da6a3ce929d0e0e4736", TRACEPARENT],
  );
  const both = (await peer.call("look", 1, { traceparent: TRACEPARENT, traceId: "t-2" })) as Look;
  assert.equal(both.traceId, "t-2");
  await peer.call("log", "traced", { traceparent: TRACEPARENT });
  assert.equal((await peer.log("traced")).traceId, "4bf92f3577b34da6a3ce929d0e0e4736");
});

test("outside of a call there is none", async (t) => {
  const peer = await Peer.start(t, FILE);
  assert.equal(await peer.call("outside"), "undefined");
});

test("calls that come together have each their own, and a timer of the module none", async (t) => {
  const peer = await Peer.start(t, FILE);
  const ids = Array.from({ length: 20 }, (_, i) => i + 1);
  peer.sendBytes(Buffer.concat(ids.map((id) => call(id, "traceLater"))));
  for (const id of ids) {
    assert.deepEqual((await peer.answer(id)).value, [`trace ${id}`, `trace ${id}`]);
  }
  peer.sendBytes(call(21, "seenByTimer"));
  assert.deepEqual((await peer.answer(21)).value, ["undefined"]);
});

for (const flags of FLAGS_OF_CONTEXTS) {
  test(`what a call enters in an AsyncLocalStorage of its own is seen by no other call (${flags || "by default"})`, async (t) => {
    const peer = await Peer.start(t, { file: FILE, env: { NODE_OPTIONS: flags } });
    const enters = (id: number) => call(id, "enterOwn");
    peer.sendBytes(Buffer.concat([1, 2, 3].map(enters)));
    await peer.answer(3);
    peer.sendBytes(enters(4)); // in a later turn of the event loop
    for (const id of [1, 2, 3, 4]) {
      assert.deepEqual((await peer.answer(id)).value, ["none", `trace ${id}`]);
    }
  });
}

test("what the worker does after its calls belongs to none", async (t) => {
  const peer = await Peer.start(t, FILE);
  await peer.call("watchExit", undefined, { traceId: "t-1" });
  await peer.goaway();
  assert.equal((await peer.log("at exit: undefined")).traceId, undefined);
});

test("who waits for the signal is told as a part of the call, whatever came with the cancel", async (t) => {
  const peer = await Peer.start(t, FILE);
  peer.sendBytes(call(1, "traceWhenAborted"));
  const meta = encodeCancel({ reason: "canceled" });
  const cancel = encodeFrame({ kind: Kind.Cancel, id: 1, meta });
  peer.sendBytes(Buffer.concat([call(2, "look"), cancel]));
  assert.equal((await peer.answer(1)).value, "trace 1");
});

test("one call has one currentCall", async (t) => {
  const peer = await Peer.start(t, FILE);
  assert.equal(await peer.call("same"), true);
});

test("its logger writes records with level, fields and the call's trace id", async (t) => {
  const peer = await Peer.start(t, FILE);
  await peer.call("log", "hello", { traceId: "t-3" });
  await peer.goaway();
  assert.deepEqual(
    peer.logs.map(({ level, source, json, text, traceId, method }) => [
      level,
      source,
      json,
      text,
      traceId,
      method,
    ]),
    [
      ["debug", "log", false, "hello", "t-3", "log"],
      ["info", "log", true, '{"msg":"hello","amount":3}', "t-3", "log"],
      ["warn", "log", true, '{"msg":"hello","big":"[BigInt 1]"}', "t-3", "log"],
      ["error", "log", false, "hello", "t-3", "log"],
    ],
  );
});

test("a record of exactly 32,768 bytes is whole, a longer one is cut and says so", async (t) => {
  const peer = await Peer.start(t, "calls/logs.js");
  await peer.call("fill", 32_768);
  await peer.call("fill", 32_769);
  await peer.goaway();
  const [whole = "", cut = ""] = peer.logs.map(({ text }) => text);
  assert.equal(Buffer.byteLength(whole), 32_768);
  assert.deepEqual(JSON.parse(whole), { msg: "", text: "a".repeat(32_748) });
  const { msg, text } = JSON.parse(cut);
  assert.equal(msg, " … (fields were cut)");
  assert.match(text, /^a{10000,}…$/);
});

test("fields that have to be left out are said to be", async (t) => {
  const peer = await Peer.start(t, "calls/logs.js");
  await peer.call("long");
  await peer.call("unreadable");
  await peer.call("many");
  await peer.goaway();
  const [long = "", keys, getter, noText, many = ""] = peer.logs.map(({ text }) => text);
  const [, kept = "", missing] =
    /^(m+) … \((\d+) more bytes\) … \(fields were left out\)$/.exec(long) ?? [];
  assert.equal(kept.length + Number(missing), 40_000);
  assert.ok(Buffer.byteLength(long) <= 32_768);
  assert.equal(keys, "keys … (fields were left out)");
  assert.equal(getter, '{"msg":"getter","amount":3,"bad":"[Throws: no]"}');
  assert.equal(noText, "[object that has no text]");
  const { msg, ...fields } = JSON.parse(many);
  assert.deepEqual([msg, Object.keys(fields).length], ["many … (fields were cut)", 64]);
});

test("an Error among the fields is its stack, and what is no object a value", async (t) => {
  const peer = await Peer.start(t, "calls/logs.js");
  await peer.call("errors");
  await peer.goaway();
  const [inside, alone, beside, value, none] = peer.logs;
  assert.match(
    JSON.parse(inside?.text ?? "").error,
    /^TypeError: boom\n {4}at \S+ \(\S+logs\.js:\S+\)$/,
  );
  assert.match(JSON.parse(alone?.text ?? "").error, /^TypeError: alone\n {4}at /);
  assert.match(JSON.parse(beside?.text ?? "").error, /^TypeError: beside\n {4}at /);
  assert.equal(value?.text, '{"msg":"failed","value":5}');
  assert.deepEqual([none?.text, none?.json], ["failed", false]);
});

function call(id: number, method: string): Uint8Array {
  const meta = encodeCall({ method, traceId: `trace ${id}` });
  return encodeFrame({ kind: Kind.Call, id, meta });
}
