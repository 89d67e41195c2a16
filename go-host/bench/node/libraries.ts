// What each library of Node's for JSON and MessagePack takes by itself, in lines as Go's benchmarks print: make bench-libraries.

import { deepStrictEqual } from "node:assert";
import { readFileSync } from "node:fs";
import { Decoder, Encoder } from "@msgpack/msgpack";
import lite from "msgpack-lite";
import { Packr } from "msgpackr";
import notepack from "notepack.io";
import { decodeValue, encodeValue } from "../../../protocol/codec.ts";
import { Encoding } from "../../../protocol/frame.ts";

/** Milliseconds for each figure. */
const ROUND = 500;

interface Library {
  name: string;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** The values are those of the benchmark in Go, which it leaves in a file. */
async function main(): Promise<void> {
  const text = readFileSync(new URL("../build/libraries.json", import.meta.url), "utf8");
  const all = JSON.parse(text) as Record<string, unknown[]>;
  for (const { name, encode, decode } of libraries) {
    for (const [value, samples] of Object.entries(all)) {
      const bytes = samples.map((sample) => Buffer.from(encode(sample)));
      deepStrictEqual(
        bytes.map((encoded) => decode(encoded)),
        samples,
      );
      print(name, value, "encode", (n) => encode(samples[n % samples.length]));
      print(name, value, "decode", (n) => decode(bytes[n % bytes.length] as Buffer));
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
  {
    name: "rootbridge-json",
    encode: (value) => encodeValue(value, Encoding.Json),
    decode: (bytes) => decodeValue(bytes, Encoding.Json),
  },
  {
    name: "rootbridge-msgpack",
    encode: (value) => encodeValue(value, Encoding.Msgpack),
    decode: (bytes) => decodeValue(bytes, Encoding.Msgpack),
  },
];

function print(library: string, value: string, what: string, work: (n: number) => unknown): void {
  measure(work); // which has it compiled
  const { times, nanoseconds } = measure(work);
  const benchmark = `BenchmarkLibraries/format=node/library=${library}/value=${value}/do=${what}`;
  process.stdout.write(`${benchmark} ${times} ${(nanoseconds / times).toFixed(0)} ns/op\n`);
}

/** Calls it for a round's time, and tells how often that was and how long. */
function measure(work: (n: number) => unknown): { times: number; nanoseconds: number } {
  const began = performance.now();
  for (let times = 1; ; times++) {
    work(times);
    const milliseconds = performance.now() - began;
    if (milliseconds >= ROUND) return { times, nanoseconds: milliseconds * 1e6 };
  }
}

await main();
