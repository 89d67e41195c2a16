// What a call costs from a program's view: host, pipes and worker together. The figures are for comparing versions on
// one machine: node test/bench/host.bench.ts

import { Console } from "node:console";
import { join } from "node:path";
import { type Codec, type Host, start } from "../../src/index.ts";

const entry = join(import.meta.dirname, "..", "fixtures", "host", "legacy.js");
const event = {
  path: "/orders",
  headers: Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`x-header-${i}`, `value-${i}`]),
  ),
  body: "x".repeat(1_000),
};

async function main(): Promise<void> {
  const rows: Awaited<ReturnType<typeof measure>>[] = [];
  for (const codec of ["json", "msgpack"] as const) {
    for (const callers of [1, 16, 64]) rows.push(await measure(codec, callers));
  }
  new Console(process.stdout).table(rows);
}

async function measure(codec: Codec, callers: number) {
  await using host = await start({ entry, codec, workers: 1, concurrency: 64 });
  await echo(host, callers, 500);
  const calls = 10_000;
  const began = performance.now();
  await echo(host, callers, calls);
  const milliseconds = performance.now() - began;
  return {
    codec,
    callers,
    "calls per second": Math.round((calls / milliseconds) * 1_000),
    "microseconds per call": Math.round((milliseconds * 1_000 * callers) / calls),
  };
}

/** Callers that each wait for their answer before they call again. */
async function echo(host: Host, callers: number, calls: number): Promise<void> {
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await host.call("echo", event);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

await main();
