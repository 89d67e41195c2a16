// What each library of Node's for JSON and MessagePack takes by itself, in lines as Go's benchmarks print: make bench-libraries.

import { deepStrictEqual } from "node:assert";
import { Decoder, Encoder } from "@msgpack/msgpack";
import lite from "msgpack-lite";
import { Packr } from "msgpackr";
import notepack from "notepack.io";
import event from "../event.json" with { type: "json" };

/** Milliseconds for each figure. */
const ROUND = 500;

interface Library {
  name: string;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

function main(): void {
  for (const { name, encode, decode } of libraries) {
    for (const [value, sample] of Object.entries(values)) {
      const bytes = Buffer.from(encode(sample)); // of its own, as some encode into memory that they use again
      deepStrictEqual(decode(bytes), sample);
      print(name, value, "encode", () => encode(sample));
      print(name, value, "decode", () => decode(bytes));
    }
  }
}

const packr = new Packr({ useRecords: false, variableMapSize: true });
const encoder = new Encoder();
const decoder = new Decoder();

const libraries: Library[] = [
  {
    name: "JSON",
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(bytes.toString()),
  },
  {
    name: "msgpackr",
    encode: (value) => packr.pack(value),
    decode: (bytes) => packr.unpack(bytes),
  },
  {
    name: "@msgpack",
    encode: (value) => encoder.encode(value),
    decode: (bytes) => decoder.decode(bytes),
  },
  { name: "notepack.io", encode: notepack.encode, decode: notepack.decode },
  { name: "msgpack-lite", encode: lite.encode, decode: lite.decode },
];

const values: Record<string, unknown> = {
  "echo-2KB": event,
  "echo-1MiB": Array.from({ length: 8_670 }, (_, i) => ({
    id: i,
    name: `article number ${i} of the catalogue`,
    price: i + 0.25,
    tags: ["new", "reduced", "garden"],
    stock: i % 2 === 0,
  })),
};

function print(library: string, value: string, what: string, work: () => unknown): void {
  measure(work); // which has it compiled
  const { times, nanoseconds } = measure(work);
  const benchmark = `BenchmarkLibraries/format=node/library=${library}/value=${value}/do=${what}`;
  process.stdout.write(`${benchmark} ${times} ${(nanoseconds / times).toFixed(0)} ns/op\n`);
}

/** Calls it for a round's time, and tells how often that was and how long. */
function measure(work: () => unknown): { times: number; nanoseconds: number } {
  const began = performance.now();
  for (let times = 1; ; times++) {
    work();
    const milliseconds = performance.now() - began;
    if (milliseconds >= ROUND) return { times, nanoseconds: milliseconds * 1e6 };
  }
}

main();
