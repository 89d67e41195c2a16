import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoding } from "../../protocol/frame.ts";
import { Peer } from "../support/peer.ts";

const LATER = { list: [1, [2]], text: "ä", value: "x" };

/** Changes to globals that old code makes; some break so much of Node that only part of this can be asked of them. */
const FILES = [
  "bluebird.js",
  "timers.js",
  "removed-timers.js",
  "frozen.js",
  "prototype-js.js",
  "frozen-to-json.js",
  "json.js",
  "fs.js",
  "deleted.js",
  "polluted.js",
];

for (const file of FILES) {
  for (const encoding of [Encoding.Json, Encoding.Msgpack]) {
    const codec = encoding === Encoding.Json ? "json" : "msgpack";
    test(`calls, errors, logs and the end work after ${file}, with ${codec}`, async (t) => {
      const peer = await Peer.start(t, `globals/${file}`);
      assert.deepEqual(await peer.call("echo", ["a", { b: null }], {}, encoding), [
        "a",
        { b: null },
      ]);
      assert.deepEqual(await peer.call("later", "x", {}, encoding), LATER);
      assert.equal(await peer.call("callback", 1, { convention: "callback" }, encoding), 1);
      const error = await peer.fail("boom", 1, {}, encoding);
      assert.deepEqual([error.message, error.fields], ["boom", { list: [1, 2] }]);
      await peer.call("print", "still printing", { traceId: "t-5" });
      assert.equal((await peer.log("still printing")).level, "info");
      assert.equal((await peer.fail("nope")).code, "method_not_found");
      assert.ok(((await peer.stats()).heapUsed ?? 0) > 0);
      const many = Array.from({ length: 50 }, (_, i) => peer.sendCall("later", i, {}, encoding));
      const answers = await Promise.all(many.map((id) => peer.answer(id)));
      assert.deepEqual(
        answers.map(({ value }) => (value as typeof LATER).value),
        many.map((_, i) => i),
      );
      assert.equal(
        ((await peer.call("echo", "x".repeat(300_000), {}, encoding)) as string).length,
        300_000,
      );
      await peer.goaway();
    });
  }
}

test("another Promise for everyone settles its calls", async (t) => {
  const peer = await Peer.start(t, "globals/bluebird.js");
  assert.equal(await peer.call("fulfilled", 1), 1);
  assert.equal((await peer.fail("rejected", "no")).message, "no");
  assert.equal(await peer.call("delayed", "late"), "late");
  await peer.goaway();
});

test("faked timers leave the deadline and the end of stdin alone", async (t) => {
  const peer = await Peer.start(t, "globals/timers.js");
  const [left, kind] = (await peer.call("deadline", 1, { timeout: 60_000 })) as [number, string];
  assert.ok(left > 0 && left <= 60_000, `${left}`);
  assert.equal(kind, "[object Date]");
  peer.closeInput();
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
});

test("arrays arrive as arrays although Array.prototype.toJSON makes text of them", async (t) => {
  const peer = await Peer.start(t, "globals/prototype-js.js");
  const expected = {
    list: [1, "two", [3], { four: 4 }],
    date: "1970-01-01T00:00:00.000Z",
    money: "EUR 3",
    own: "list of 2",
    flag: true,
  };
  assert.deepEqual(await peer.call("results"), expected);
  assert.deepEqual(await peer.call("results", 1, { accept: "msgpack" }), {
    ...expected,
    date: new Date(0),
  });
});

test("keys of Object.prototype cross although it is frozen", async (t) => {
  const peer = await Peer.start(t, "globals/frozen.js");
  const keys = { constructor: 1, toString: 2, valueOf: [3] };
  for (const encoding of [Encoding.Json, Encoding.Msgpack]) {
    assert.deepEqual(await peer.call("withKeys", 1, {}, encoding), keys);
    assert.deepEqual(await peer.call("echo", keys, {}, encoding), keys);
  }
});

test("bytes cross although Buffer is deleted", async (t) => {
  const peer = await Peer.start(t, "globals/deleted.js");
  assert.deepEqual(await peer.call("bytes"), Buffer.from("bytes"));
  assert.deepEqual(
    await peer.call("echo", Buffer.from([1, 2]), {}, Encoding.Raw),
    Buffer.from([1, 2]),
  );
});

test("a process whose functions are replaced still ends when asked to", async (t) => {
  const peer = await Peer.start(t, "globals/process.js");
  assert.deepEqual(await peer.call("later", "x"), LATER);
  await peer.call("exit");
  assert.deepEqual(((await peer.call("calls")) as unknown[]).at(-1), ["exit", 3]);
  peer.child.kill("SIGUSR2");
  await peer.asked(1);
  await peer.goaway();
});

test("a console.log of its own is left alone", async (t) => {
  const peer = await Peer.start(t, "globals/console.js");
  await peer.call("print", "mine");
  assert.deepEqual(await peer.call("lines"), ["mine"]);
  await peer.goaway();
});
