import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoding } from "../../protocol/frame.ts";
import { Peer } from "../support/peer.ts";

const FILE = "calls/conventions.js";

test("value: a missing argument is not null, and no argument is ever added", async (t) => {
  const peer = await Peer.start(t, FILE);
  assert.deepEqual(await peer.call("args"), [0]);
  assert.deepEqual(await peer.call("args", null), [1, null]);
  assert.deepEqual(await peer.call("args", [1, 2]), [1, [1, 2]]);
  assert.deepEqual(await peer.call("args", undefined, {}, Encoding.Msgpack), [0]);
  await peer.goaway();
});

test("args: the list is spread", async (t) => {
  const peer = await Peer.start(t, { file: FILE, hello: { options: { convention: "args" } } });
  assert.equal(await peer.call("add", [2, 3]), 5);
  assert.deepEqual(await peer.call("args", [1, [2], null]), [3, 1, [2], null]);
  assert.deepEqual(await peer.call("args", []), [0]);
  assert.deepEqual(await peer.call("args"), [0]);
  for (const argument of [null, 1, "text", { length: 1 }]) {
    const error = await peer.fail("args", argument);
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /args.*expected a list/);
  }
  await peer.goaway();
});

test("a call's convention overrides the session's", async (t) => {
  const peer = await Peer.start(t, { file: FILE, hello: { options: { convention: "callback" } } });
  assert.equal(await peer.call("callback", 4), 8);
  assert.equal(await peer.call("add", [2, 3], { convention: "args" }), 5);
  assert.equal(await peer.call("echo", 7, { convention: "value" }), 7);
  await peer.goaway();
});

test("callback: the function's last argument takes its error or result", async (t) => {
  const peer = await Peer.start(t, FILE);
  const convention = { convention: "callback" } as const;
  assert.equal(await peer.call("callback", 21, convention), 42);
  assert.equal(await peer.call("callbackOnly", undefined, convention), "nothing asked");
  assert.equal(await peer.call("callbackNothing", 1, convention), undefined);
  assert.equal(await peer.call("asyncCallback", 5, convention), 5);
  assert.equal(await peer.call("callbackPromise", 5, convention), 5);
  const error = await peer.fail("callbackError", "way", convention);
  assert.deepEqual([error.code, error.name, error.message], ["exception", "TypeError", "no way"]);
  assert.equal((await peer.fail("callbackPlain", 1, convention)).message, "just text");
  assert.equal((await peer.fail("asyncThrows", 1, convention)).message, "rejected");
  await peer.goaway();
});

test("args_callback: the list is spread before the callback", async (t) => {
  const peer = await Peer.start(t, FILE);
  const convention = { convention: "args_callback" } as const;
  assert.equal(await peer.call("callbackList", ["a", "b"], convention), "ab");
  assert.equal(await peer.call("callbackOnly", undefined, convention), "nothing asked");
  assert.equal((await peer.fail("callbackList", 1, convention)).code, "invalid_argument");
  await peer.goaway();
});

test("the first outcome of a callback function is its answer, later ones are logged", async (t) => {
  const peer = await Peer.start(t, FILE);
  const meta = { convention: "callback", traceId: "t-1" } as const;
  assert.equal(await peer.call("twice", 1, meta), "first");
  const log = await peer.log('"twice" called its callback again');
  assert.deepEqual([log.level, log.method, log.traceId], ["warn", "twice", "t-1"]);
  const logged = () => peer.logs.filter(({ method }) => method === "twice").length;
  await peer.until(() => logged() >= 2, "both later ones are logged");
  assert.equal(logged(), 2);
  assert.equal(await peer.call("callbackThenThrow", 1, meta), "first");
  assert.equal((await peer.log('"callbackThenThrow" threw after its answer')).level, "warn");
  assert.equal((await peer.fail("throwThenCallback", 1, meta)).message, "first");
  await peer.log('"throwThenCallback" called its callback again');
  await peer.goaway();
});

test("a callback that never comes leaves its call in flight and holds up no other", async (t) => {
  const peer = await Peer.start(t, FILE);
  const id = peer.sendCall("never", 1, { convention: "callback" });
  assert.equal(await peer.call("echo", 1), 1);
  assert.equal(
    peer.frames.some((frame) => frame.id === id && frame.kind !== 9),
    false,
  );
});

test("a callback for which the stack has no room is answered nevertheless, with what it was given or an error", async (t) => {
  const source = `export const deep = (size, done) => {
      const result = Buffer.alloc(size, 1);
      let called = false;
      const go = () => {
        try {
          go();
        } catch {}
        if (called) return;
        done(null, result);
        called = true;
      };
      go();
      result.fill(2);
    };`;
  const peer = await Peer.start(t, { source });
  for (const size of [1, 100_000, 4_000_000]) {
    const { value, error } = await peer.ask("deep", size, { convention: "callback" });
    if (error) assert.equal(error.code, "exception");
    else assert.deepEqual(value, Buffer.alloc(size, 1));
  }
  await peer.goaway();
});
