import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../support/peer.ts";

const FOUND: Record<string, unknown> = {
  plain: "plain",
  "math.add": "literal",
  "math.deep.er.est": "deep",
  "a name with spaces": "spaced",
  "dotted.name.fn": "in a dotted container",
  call: "call",
  length: "length",
  apply: "apply",
  "inherited.twice": 12,
  "Counter.create": {},
  outer: "outer",
  "outer.inner": "static",
  who: true,
  "nested.who": "nested",
  onPrototype: "on the prototype",
  good: "from a getter",
  hidden: "not enumerable",
  "list.0": "first of a list",
  "self.self.plain": "plain",
  "map.get": undefined,
};

test("an export named then can be called", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  assert.equal(await peer.call("then"), "then");
});

test("names find what is exported, and `this` is what holds it", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  for (const [name, result] of Object.entries(FOUND)) {
    const argument = name === "inherited.twice" ? 1 : undefined;
    assert.deepEqual(await peer.call(name, argument), result, name);
  }
  assert.equal(await peer.call("counter.increment", 5), 15);
  await peer.goaway();
});

const MISSED = [
  "",
  ".",
  "plain.",
  ".plain",
  "nope",
  "value",
  "nothing",
  "math",
  "math.nope",
  "value.toFixed",
  "nothing.at.all",
  "constructor",
  "__proto__",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "__defineGetter__",
  "plain.constructor",
  "plain.call",
  "plain.bind",
  "plain.prototype",
  "Counter.prototype.increment",
  "counter.constructor",
  "counter.constructor.create",
  "counter.__proto__.increment",
  "counter.toString",
  "outer.length2",
  "outer.name",
  "outer.length",
  "math.constructor.constructor",
  "default",
  "a".repeat(5_000),
  ".".repeat(5_000),
  "math.".repeat(500),
];

test("what every object inherits can't be called, whatever it is named", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  for (const name of MISSED) {
    assert.equal((await peer.fail(name)).code, "method_not_found", name);
  }
  await peer.goaway();
});

test("a method that is not found is told with what there is", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  const message = async (name: string) => (await peer.fail(name)).message;
  assert.match(
    await message("nope"),
    /no export "nope".*expected the name of an exported function, of plain, /,
  );
  assert.match(await message("value"), /"value" is exported but is of type number/);
  assert.match(await message("nothing"), /is of type null/);
  const empty = await Peer.start(t, { source: "export const a = 1;" });
  assert.match((await empty.fail("f")).message, /of nothing that is callable/);
});

test("getters that throw are exceptions of the call", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  const own = await peer.fail("getter");
  assert.deepEqual(
    [own.code, own.name, own.message],
    ["exception", "TypeError", "getter of the module"],
  );
  assert.equal((await peer.fail("counter.broken")).message, "getter of a class");
  await peer.goaway();
});

test("a getter runs once for each call", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  assert.equal(await peer.call("asked"), 1);
  assert.equal(await peer.call("asked"), 2);
  assert.equal(await peer.call("asked"), 3);
});

test("ready lists functions by name, three levels deep, without running getters", async (t) => {
  const peer = await Peer.start(t, "lookup/names.js");
  const { methods } = peer;
  for (const name of [
    "plain",
    "math.add",
    "then",
    "call",
    "length",
    "counter.increment",
    "inherited.twice",
    "Counter.create",
    "outer",
    "outer.inner",
    "nested.who",
    "hidden",
    "onPrototype",
    "list.0",
  ]) {
    assert.ok(methods.includes(name), name);
  }
  for (const name of [
    "Counter",
    "value",
    "constructor",
    "getter",
    "math.deep.er.est",
    "map.get",
    "default",
  ]) {
    assert.ok(!methods.includes(name), name);
  }
  assert.equal(new Set(methods).size, methods.length);
});

test("a large module's list is bounded", async (t) => {
  const source =
    "export default Object.fromEntries(Array.from({ length: 5000 }, (_, i) => ['f' + i, () => i]));";
  const peer = await Peer.start(t, { source });
  assert.equal(peer.methods.length, 1_000);
  assert.equal(await peer.call("f4999"), 4_999);
});

test("module.exports = fn is the method default, with its static functions", async (t) => {
  const peer = await Peer.start(t, "lookup/function.js");
  assert.deepEqual(peer.methods.sort(), ["default", "helper"]);
  assert.deepEqual(await peer.call("default", 1), [true, 1]);
  assert.equal(await peer.call("helper"), "helper");
  await peer.goaway();
});

test("a default export's members are found too, and an export named then is no thenable", async (t) => {
  const peer = await Peer.start(t, "lookup/default.mjs");
  assert.equal(await peer.call("member"), "default object");
  assert.equal(await peer.call("default.member"), "default object");
  assert.equal(await peer.call("nested.fn"), "nested in default");
  assert.equal(await peer.call("own"), "own");
  assert.equal(await peer.call("then"), "then");
  assert.deepEqual(peer.methods.sort(), ["member", "nested.fn", "own", "then"]);
  await peer.goaway();
});

test("a default function is the method default", async (t) => {
  const peer = await Peer.start(t, "lookup/default-function.mjs");
  assert.deepEqual(await peer.call("default", 1), ["default", 1]);
  assert.deepEqual(peer.methods, ["default"]);
});

test("an exported class instance keeps its private fields", async (t) => {
  const peer = await Peer.start(t, "lookup/instance.js");
  assert.equal(await peer.call("reveal"), "private");
  assert.equal(await peer.call("later"), "private");
  assert.deepEqual(peer.methods.sort(), ["later", "reveal"]);
  assert.equal((await peer.fail("constructor")).code, "method_not_found");
  await peer.goaway();
});

test("a Proxy answers by its get trap, and is not listed", async (t) => {
  const peer = await Peer.start(t, "lookup/proxy.js");
  assert.equal(await peer.call("real"), "real");
  assert.equal(await peer.call("anything", 1), "anything(1)");
  assert.equal((await peer.fail("bang")).message, "the trap snapped");
  assert.equal((await peer.fail("toString")).code, "method_not_found");
  assert.equal((await peer.fail("constructor")).code, "method_not_found");
  assert.deepEqual(peer.methods, []);
  await peer.goaway();
});

test("modules with cycles load, list and answer", async (t) => {
  const commonjs = await Peer.start(t, "lookup/cycle/a.js");
  assert.equal(await commonjs.call("late"), "ab");
  const module = await Peer.start(t, "lookup/cycle/a.mjs");
  assert.equal(await module.call("viaB"), "ab");
  assert.equal(await module.call("b.a.b.name"), "ab");
  assert.ok(module.methods.length < 20, `${module.methods}`);
});

test("what compilers make of ES modules is listed and found", async (t) => {
  const peer = await Peer.start(t, "lookup/compiled.js");
  assert.deepEqual(peer.methods.sort(), ["price", "raise", "total"]);
  assert.equal(await peer.call("price", 4), 8);
  await peer.call("raise");
  assert.equal(await peer.call("price", 4), 12);
  assert.equal(await peer.call("total"), "total");
  assert.equal((await peer.fail("bad")).message, "too early");
});

const SETTLED: Record<string, unknown> = {
  plain: "resolved",
  both: "first",
  nested: "inner",
  callable: "callable",
  subclass: "lazy",
  foreign: "foreign",
};

test("thenables that misbehave settle their call once, or not at all, and no other", async (t) => {
  const peer = await Peer.start(t, "lookup/thenables.js");
  const never = peer.sendCall("never");
  for (const [name, result] of Object.entries(SETTLED)) {
    assert.deepEqual(await peer.call(name), result, name);
  }
  assert.equal(JSON.stringify(await peer.call("sync")), '{"then":"not a function"}');
  assert.equal((await peer.fail("throws")).message, "then threw");
  assert.equal((await peer.fail("getter")).message, "then could not be read");
  assert.match((await peer.fail("itself")).message, /[Cc]haining cycle/);
  assert.equal(await peer.call("echo", 1), 1);
  assert.equal(peer.frames.filter(({ id }) => id === never).length, 0);
});
