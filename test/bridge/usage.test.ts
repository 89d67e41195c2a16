import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../support/peer.ts";

const MIB = 2 ** 20;
const BLOCK_MS = 300;

/** The loop's time as Node has it, in milliseconds. */
interface LoopTime {
  active: number;
  idle: number;
}

test("stats say how much of the time since the last ones, or since ready, the loop was busy", async (t) => {
  const source = `
    export const block = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
    export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    block(${BLOCK_MS});
    const look = () => performance.eventLoopUtilization();
    const loaded = look();
    export const looks = () => [loaded, look()];`;
  const peer = await Peer.start(t, { source });
  const looks = async () => (await peer.call("looks")) as [LoopTime, LoopTime];
  let from = await looks();
  for (const work of ["wait", "block"]) {
    await peer.call(work, BLOCK_MS);
    const [, before] = await looks();
    const { elu } = await peer.stats();
    const [, after] = await looks();
    assertWithin(elu, from, [before, after]);
    from = [before, after];
  }
  await peer.goaway();
});

/**
 * Asserts on utilization between two moments that each lie between two looks. A busy machine makes the looks
 * differ and the bounds wide, and never wrong.
 */
function assertWithin(
  elu: number | undefined,
  from: [LoopTime, LoopTime],
  to: [LoopTime, LoopTime],
): void {
  const least = { active: to[0].active - from[1].active, idle: to[0].idle - from[1].idle };
  const most = { active: to[1].active - from[0].active, idle: to[1].idle - from[0].idle };
  const low = least.active / (least.active + most.idle);
  const high = most.active / (most.active + least.idle);
  assert.ok(elu !== undefined && elu >= low && elu <= high, `${low} to ${high}, not ${elu}`);
}

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
