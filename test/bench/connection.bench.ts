// What a call costs the worker, and what a value costs the codec. The figures are for comparing versions on one machine:
// node test/bench/connection.bench.ts

import { Console } from "node:console";
import { decodeValue, encodeValue } from "../../protocol/codec.ts";
import { Encoding, encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const ROUND = 700;

interface Row {
  [column: string]: string | number;
}

async function main(): Promise<void> {
  const { table } = new Console(process.stdout);
  process.stdout.write("codec, microseconds\n");
  table(codecRows());
  process.stdout.write("echo calls through a worker\n");
  table(await connectionRows());
}

function codecRows(): Row[] {
  const event = {
    version: "2.0",
    rawPath: "/orders",
    headers: Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`x-header-${i}`, `value-${i}-abcdefghijklmnop`]),
    ),
    body: "x".repeat(800),
    isBase64Encoded: false,
  };
  const rows = Array.from({ length: 8_000 }, (_, i) => ({
    id: i,
    name: `customer ${i}`,
    total: i * 1.25,
    tags: ["a", "b"],
    open: i % 2 === 0,
  }));
  return [
    codecRow("2 KB event", event, 5_000),
    codecRow("0.6 MB of rows", rows, 15),
    codecRow("1 MB string", { text: "x".repeat(1_048_576) }, 60),
  ];
}

function codecRow(name: string, value: unknown, times: number): Row {
  const row: Row = { value: name };
  for (const [codec, encoding] of [
    ["json", Encoding.Json],
    ["msgpack", Encoding.Msgpack],
  ] as const) {
    const bytes = encodeValue(value, encoding);
    row[`${codec} encode`] = perTime(times, () => encodeValue(value, encoding));
    row[`${codec} decode`] = perTime(times, () => decodeValue(bytes, encoding));
  }
  return row;
}

function perTime(times: number, work: () => unknown): number {
  for (let i = 0; i < times / 5; i++) work();
  const start = performance.now();
  for (let i = 0; i < times; i++) work();
  return Math.round(((performance.now() - start) * 10_000) / times) / 10;
}

async function connectionRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const cleanups: (() => unknown)[] = [];
  const peer = await Peer.start(
    { after: (clean: () => unknown) => cleanups.push(clean) } as never,
    "calls/bench.js",
  );
  for (const [method, size] of [
    ["echo", 100],
    ["echoLater", 100],
    ["echo", 2_000],
  ] as const) {
    for (const depth of [1, 16, 64, 256]) rows.push(await connectionRow(peer, method, size, depth));
  }
  for (const clean of cleanups) await clean();
  return rows;
}

async function connectionRow(
  peer: Peer,
  method: string,
  size: number,
  depth: number,
): Promise<Row> {
  const before = (await peer.call("cpu")) as number;
  const load = new Load(peer, method, size);
  const { calls, seconds } = await load.run(depth);
  const cpu = ((await peer.call("cpu")) as number) - before;
  return {
    method,
    bytes: size,
    callers: depth,
    "calls/s": Math.round(calls / seconds),
    "us each": Math.round((seconds * 1e7 * depth) / calls) / 10,
    "worker's CPU us": Math.round((cpu * 100) / calls) / 100,
  };
}

/** Keeps a number of calls in flight for a while. */
class Load {
  readonly #peer: Peer;
  readonly #meta: Uint8Array;
  readonly #payload: Uint8Array;

  constructor(peer: Peer, method: string, size: number) {
    this.#peer = peer;
    this.#meta = encodeCall({
      method,
      timeout: 30_000,
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    this.#payload = encodeValue({ text: "x".repeat(size - 11) }, Encoding.Json);
  }

  run(depth: number): Promise<{ calls: number; seconds: number }> {
    const start = performance.now();
    let calls = 0;
    let open = 0;
    let id = 1_000_000;
    return new Promise((resolve) => {
      const more = (count: number) => {
        open += count;
        const frames = Array.from({ length: count }, (_, i) => this.#frame(id + i));
        id += count;
        this.#peer.sendBytes(Buffer.concat(frames));
      };
      this.#peer.onAnswers = (answers) => {
        calls += answers;
        open -= answers;
        const elapsed = performance.now() - start;
        if (elapsed < ROUND) more(depth - open);
        else if (open === 0) {
          this.#peer.onAnswers = undefined;
          resolve({ calls, seconds: elapsed / 1_000 });
        }
      };
      more(depth);
    });
  }

  #frame(id: number): Uint8Array {
    return encodeFrame({ kind: Kind.Call, id, meta: this.#meta, payload: this.#payload });
  }
}

await main();
