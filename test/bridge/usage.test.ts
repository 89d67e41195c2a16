import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const MIB = 2 ** 20;
const ASK = encodeFrame({ kind: Kind.Stats });
/** A call that keeps the loop busy for 100 ms. */
const BLOCK = encodeFrame({
  kind: Kind.Call,
  id: 1_000,
  meta: encodeCall({ method: "block" }),
  payload: Buffer.from("100"),
});

test("stats say how much of the time since the last ones, or since ready, the loop was busy", async (t) => {
  const source = `
    export const block = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
    export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    block(600);`;
  const peer = await Peer.start(t, { source });
  await peer.call("wait", 300);
  const idle = (await peer.stats()).elu ?? 1;
  assert.ok(idle >= 0 && idle < 0.6, `${idle}`);
  peer.sendBytes(Buffer.concat([ASK, BLOCK, ASK])); // read at once: between the two is nothing but work
  await peer.until(() => peer.allStats.length === 3, "both stats come");
  const busy = peer.allStats[2]?.elu ?? 0;
  assert.ok(busy > 0.9 && busy <= 1, `${busy}`);
  await peer.goaway();
});

test("stats count bytes: of the heap and its limit, outside of it, and of the process", async (t) => {
  const source = `
    const held = [];
    export const hold = (bytes) => { held.push(Buffer.alloc(bytes, 1)); };`;
  const peer = await Peer.start(t, { source, nodeArgs: ["--max-old-space-size=64"] });
  const before = await peer.stats();
  await peer.call("hold", 50 * MIB);
  const after = await peer.stats();
  const grown = (after.external ?? 0) - (before.external ?? 0);
  assert.ok(grown > 49 * MIB && grown < 60 * MIB, `${grown}`);
  const { heapUsed = 0, heapLimit = 0, rss = 0 } = after;
  assert.ok(heapLimit >= 64 * MIB && heapLimit <= 512 * MIB, `${heapLimit}`);
  assert.ok(heapUsed > MIB && heapUsed < heapLimit, `${heapUsed}`);
  assert.ok(rss > heapUsed + 50 * MIB, `${rss}`);
  await peer.goaway();
});

test("stats come although code has replaced what they are made of", async (t) => {
  const source = `
    import perf from 'node:perf_hooks';
    import v8 from 'node:v8';
    const no = () => { throw new Error('a stub'); };
    process.memoryUsage = no;
    v8.getHeapStatistics = no;
    try { perf.performance.eventLoopUtilization = no; } catch {} // read-only on Node 18
    Number.isSafeInteger = Math.min = JSON.stringify = no;
    export const a = () => 1;`;
  const peer = await Peer.start(t, { source });
  const stats = await peer.stats();
  assert.deepEqual(Object.keys(stats).sort(), ["elu", "external", "heapLimit", "heapUsed", "rss"]);
  await peer.goaway();
});

const linux = {
  skip: process.platform !== "linux" && "only here a look at the memory opens a file",
};

test(
  "a worker without a descriptor left leaves out what it can't tell, and goes on",
  linux,
  async (t) => {
    const source = `
    import fs from 'node:fs';
    export const exhaust = () => { try { for (;;) fs.openSync('/dev/null'); } catch (error) { return error.code; } };`;
    const peer = await Peer.start(t, { source, descriptors: 60 });
    assert.equal(await peer.call("exhaust"), "EMFILE");
    const stats = await peer.stats();
    assert.deepEqual(Object.keys(stats).sort(), ["elu", "external", "heapLimit", "heapUsed"]);
    await peer.goaway();
  },
);
