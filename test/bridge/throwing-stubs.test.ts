import assert from "node:assert/strict";
import { test } from "node:test";
import { Kind } from "../../protocol/frame.ts";
import { Peer } from "../support/peer.ts";

const FILE = "globals/stubs.js";
/** What Node itself does not survive, or what here is no method of user code's to break. */
const FATAL_TO_NODE: readonly string[] = [
  "Array.pop", // its async hooks
  "Function.apply", // Node 18's timers and events
  "Buffer.utf8Write", // Node 18's Buffer.from
  "process._fatalException",
];
const OWNERS = [
  ...["Array", "ArrayIterator", "String", "StringIterator", "RegExp", "Map", "MapIterator", "Set"],
  ...["SetIterator", "WeakMap", "WeakSet", "Number", "Date", "Function", "Promise", "Buffer"],
  ...["Uint8Array", "TypedArray", "EventEmitter", "Timeout", "AbortController", "Math", "Reflect"],
  ...["JSON", "Object itself", "Array itself", "Number itself", "String itself", "Buffer itself"],
  "process",
  "fs",
];

for (const owner of OWNERS) {
  test(`an exception and a missing method are told in full while a method of ${owner} throws`, async (t) => {
    const peer = await Peer.start(t, FILE);
    for (const method of (await peer.call("methods", owner)) as string[]) {
      if (FATAL_TO_NODE.includes(`${owner}.${method}`)) continue;
      await peer.call("stub", [owner, method]);
      const { code, message, stack = "", fields, cause } = await peer.fail("bad");
      assert.deepEqual([code, message, cause?.message], ["exception", "boo", "why"], method);
      assert.deepEqual(fields?.["list"], [1, { a: 2 }], method);
      assert.match(stack, /^TypeError: boo(\n {4}at [^\n]*stubs\.js:\d+:\d+\)?)+$/, method);
      const missing = await peer.fail("nope");
      assert.match(missing.message, /no export "nope".* of methods, owners, stub/, method);
      assert.equal(await peer.call("later", 1), 1, method);
      await peer.call("restore");
    }
    await peer.goaway();
  });
}

/** What stood in the way of an end, or of a start. */
const METHODS: [owner: string, method: string][] = [
  ["String", "split"],
  ["String", "includes"],
  ["String", "startsWith"],
  ["String", "slice"],
  ["Array", "join"],
  ["Array", "filter"],
  ["Array", "slice"],
  ["Array", "some"],
  ["Array", "Symbol(Symbol.iterator)"],
  ["ArrayIterator", "next"],
  ["Set", "has"],
  ["Set", "add"],
  ["RegExp", "test"],
  ["Promise", "then"],
  ["Timeout", "unref"],
  ["EventEmitter", "on"],
  ["EventEmitter", "once"],
  ["EventEmitter", "emit"],
  ["EventEmitter", "removeListener"],
  ["EventEmitter", "listenerCount"],
  ["process", "on"],
  ["process", "once"],
  ["process", "emit"],
  ["process", "removeListener"],
  ["process", "listenerCount"],
  ["process", "hrtime"],
];

for (const stub of METHODS) {
  const name = stub.join(".");
  test(`code loads, and a leftover is told before the end, where ${name} throws from the start on`, async (t) => {
    const peer = await Peer.start(t, { file: FILE, env: { STUB: JSON.stringify(stub) } });
    assert.ok(peer.methods.includes("echo"));
    assert.equal(await peer.call("later", 1), 1);
    assert.equal((await peer.fail("bad")).message, "boo");
    assert.equal(await peer.call("leftover"), "answered");
    assert.equal((await peer.fatal()).message, "uncaught exception: left behind");
    assert.ok(peer.frames.some(({ kind }) => kind === Kind.Goaway));
    assert.deepEqual(await peer.exited, { code: 1, signal: null });
  });

  test(`process.exit is told where ${name} throws`, async (t) => {
    const peer = await Peer.start(t, FILE);
    await peer.call("stub", stub);
    peer.sendCall("exit");
    assert.match((await peer.fatal()).message, /process\.exit\(3\) was called/);
    assert.deepEqual(await peer.exited, { code: 3, signal: null });
  });
}

test("large arguments and results pass where each method of fs throws", async (t) => {
  const peer = await Peer.start(t, FILE);
  const text = "x".repeat(3_000_000);
  for (const method of (await peer.call("methods", "fs")) as string[]) {
    await peer.call("stub", ["fs", method]);
    assert.equal((await peer.call("later", text)) === text, true, method);
    await peer.call("restore");
  }
  await peer.goaway();
});

test("a set that says yes to everything hides no method", async (t) => {
  const source = "Set.prototype.has = () => true; export const echo = (value) => value;";
  const peer = await Peer.start(t, { source });
  assert.deepEqual(peer.methods, ["echo"]);
  assert.equal(await peer.call("echo", 1), 1);
  await peer.goaway();
});

test("an error that the code's own handler throws is told", async (t) => {
  const source = `process.on("uncaughtException", () => { throw new Error("from the handler"); });
    export const leftover = () => { setImmediate(() => { throw new Error("first"); }); };`;
  const peer = await Peer.start(t, { source });
  await peer.call("leftover");
  assert.equal((await peer.fatal()).message, "uncaught exception: from the handler");
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
});
