import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoding, Kind } from "../../protocol/frame.ts";
import { Peer } from "../support/peer.ts";

const FILE = "globals/prototypes.js";
/** Methods that the way of a frame leads by, or did. */
const METHODS: [owner: string, method: string][] = [
  ["Array", "push"],
  ["Array", "shift"],
  ["AsyncLocalStorage", "enterWith"],
  ["AsyncResource", "runInAsyncScope"],
  ["Buffer", "subarray"],
  ["Buffer", "toString"],
  ["Buffer", "write"],
  ["Duplex", "write"],
  ["EventEmitter", "emit"],
  ["Map", "delete"],
  ["Map", "get"],
  ["Map", "set"],
  ["Socket", "_write"],
  ["Socket", "_writeGeneric"],
  ["Socket", "write"],
  ["Uint8Array", "set"],
];

for (const [owner, method] of METHODS) {
  for (const kind of ["silent", "throwing"]) {
    test(`answers that wait for a full pipe are whole and each caller's own behind a ${kind} stub of ${owner}.prototype.${method}`, async (t) => {
      const peer = await Peer.start(t, FILE);
      await peer.call("stub", [owner, method, kind]);
      assert.equal(await peer.call("echo", "small"), "small");
      peer.setReading(false);
      const [big = 0, bytes = 0, ...others] = askForMuch(peer);
      peer.sendCall("mark");
      await peer.until(() => peer.stderr.includes("marked"), "all calls have run");
      peer.setReading(true);
      assert.equal((await peer.answer(big)).value, "x".repeat(3_000_000));
      assert.deepEqual((await peer.answer(bytes)).value, Buffer.alloc(300_000, "b"));
      for (const [number, id] of others.entries()) {
        assert.equal((await peer.answer(id)).value, `SECRET ${number} `.repeat(20_000));
      }
      assert.equal((await peer.fail("nope")).code, "method_not_found");
      peer.send({ kind: Kind.Goaway });
      assert.equal((await peer.exited).signal, null);
    });
  }
}

/** Methods that the way of a value in MessagePack leads by, or did. */
const METHODS_FOR_VALUES: [owner: string, methods: string[]][] = [
  ["Array", ["push", "keys", "values", "entries"]],
  ["Buffer", ["copy", "latin1Slice", "slice", "subarray", "utf8Slice", "utf8Write", "write"]],
  [
    "DataView",
    ["getBigInt64", "getFloat32", "getFloat64", "setBigInt64", "setFloat64", "setUint32"],
  ],
  ["Date", ["getTime", "toISOString", "valueOf"]],
  ["Map", ["entries", "forEach", "get", "keys", "set"]],
  ["Set", ["entries", "forEach", "keys", "values"]],
  ["String", ["charCodeAt", "codePointAt", "slice"]],
  ["Uint8Array", ["copyWithin", "fill", "set", "slice", "subarray"]],
];
const VALUE = {
  texts: ["", "short", "Grüße", "x".repeat(99), "é".repeat(40_000)],
  numbers: [0, 200, 70_000, -1, -40_000, 2 ** 40, -(2 ** 40), 1.5, 2n ** 60n],
  dates: [-1, 0, 1.5e12 + 1].map((time) => new Date(time)),
  bytes: Buffer.from([1, 2, 3]),
  objects: [{}, { a: [null, true, { b: false }] }],
};

for (const [owner, methods] of METHODS_FOR_VALUES) {
  for (const kind of ["silent", "throwing"]) {
    test(`values cross in MessagePack as they are behind ${kind} stubs of ${owner}.prototype`, async (t) => {
      const peer = await Peer.start(t, FILE);
      for (const method of methods) await peer.call("stub", [owner, method, kind]);
      assert.deepEqual(await peer.call("echo", VALUE, {}, Encoding.Msgpack), VALUE);
      assert.deepEqual(await peer.call("kinds", 1, {}, Encoding.Msgpack), { map: { a: [1, 2] } });
      await peer.goaway();
    });
  }
}

/** What the worker has no way around: Node's own way to the pipe, and what Node itself stands on. */
const BREAKS: Record<string, unknown> = {
  stubHandle: undefined,
  stub: ["Array", "iterator", "throwing"],
};

for (const [method, argument] of Object.entries(BREAKS)) {
  test(`a worker that can't write a frame to its end, after ${method}, writes nothing behind it, says so and ends`, async (t) => {
    const peer = await Peer.start(t, FILE);
    await peer.call(method, argument);
    peer.setReading(false);
    const ids = askForMuch(peer);
    await peer.until(() => peer.stderr.includes("to its end"), "the worker says why it ends");
    peer.setReading(true);
    assert.deepEqual(await peer.exited, { code: 1, signal: null });
    assert.match(peer.stderr, /^rootbridge worker: ended, as it could not write a frame to its/m);
    assert.deepEqual(
      peer.frames.filter(({ id }) => ids.includes(id)),
      [],
    );
  });
}

/** Asks for more than the pipe holds. */
function askForMuch(peer: Peer): number[] {
  const secrets = Array.from({ length: 15 }, (_, number) => number);
  return [
    peer.sendCall("big"),
    peer.sendCall("bytes"),
    ...secrets.map((number) => peer.sendCall("secret", number)),
  ];
}

test("printing where the stack is nearly full breaks no frame", async (t) => {
  const peer = await Peer.start(t, "globals/dives.js");
  assert.equal(await peer.call("dive", 100), 0);
  assert.equal(await peer.call("echo", "still"), "still");
  await peer.goaway();
});
