import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isTooDeep } from "../../protocol/depth.ts";
import type { ErrorObject } from "../../protocol/error.ts";
import { Encoding, Kind } from "../../protocol/frame.ts";
import { encodeCall } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";
import { bytes, type Case, readCases } from "../support/vectors.ts";
import { fixture } from "../support/worker-process.ts";

/** What becomes of a value: one of these. */
interface End {
  readonly value?: unknown;
  readonly bytes?: string;
  readonly none?: true;
  readonly depth?: number;
  readonly keys?: number;
  readonly error?: readonly string[];
}

/** A case of protocol/vectors/values.json. */
interface ValueCase extends Case {
  readonly js?: string;
  readonly into?: string;
  readonly text?: string;
  readonly hex?: string;
  readonly json?: End;
  readonly msgpack?: End;
}

const KEYS = ["group", "js", "into", "go", "text", "hex", "json", "msgpack"];
const cases = readCases<ValueCase>("values.json", KEYS);
const values: { describe(value: unknown): unknown } = createRequire(import.meta.url)(
  fixture("values/values.js"),
);

for (const codec of ["json", "msgpack"] as const) {
  const encoding = codec === "json" ? Encoding.Json : Encoding.Msgpack;

  describe(`values.json with ${codec}`, () => {
    test("results become what the table says", async (t) => {
      const peer = await Peer.start(t, "values/values.js");
      for (const { id, js, into, [codec]: end } of cases) {
        if (js === undefined || into !== undefined || end === undefined) continue;
        await t.test(id, () => checkResult(peer, js, encoding, end));
      }
      await peer.goaway();
    });

    test("arguments become what the table says", async (t) => {
      const peer = await Peer.start(t, "values/values.js");
      for (const { id, text, hex, [codec]: end } of cases) {
        const payload = codec === "json" ? text && Buffer.from(text) : hex && bytes(hex);
        if ((text === undefined && hex === undefined) || end === undefined) continue;
        await t.test(id, () => checkArgument(peer, payload || Buffer.alloc(0), encoding, end));
      }
      await peer.goaway();
    });
  });
}

test("docs/values.md shows what values.json says", () => {
  const script = join(import.meta.dirname, "..", "..", "scripts", "build-values.ts");
  execFileSync(process.execPath, [script, "--check"]);
});

async function checkResult(peer: Peer, js: string, encoding: Encoding, end: End): Promise<void> {
  const { frame, value, error } = await peer.ask("result", js, {}, encoding);
  if (end.error) {
    assertUnencodable(error ?? tooDeep(frame.payload, frame.encoding), end.error);
    return;
  }
  assert.equal(error, undefined, JSON.stringify(error));
  assert.equal(frame.encoding, end.bytes === undefined ? encoding : Encoding.Raw);
  if (end.none) assert.equal(frame.payload.length, 0);
  else if (end.bytes !== undefined)
    assert.equal(Buffer.from(frame.payload).toString("hex"), end.bytes);
  else if (end.depth !== undefined) assert.equal(depthOf(value), end.depth);
  else if (end.keys !== undefined) assert.equal(Object.keys(value as object).length, end.keys);
  else assert.deepEqual(values.describe(wellFormed(value)), end.value);
}

/** Text as hosts have it whose strings are UTF-8. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return Buffer.from(value).toString();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== "object" || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [wellFormed(key), wellFormed(item)]),
  );
}

/** Newer Nodes write JSON of any depth; then it is the host that refuses it. */
function tooDeep(payload: Uint8Array, encoding: Encoding): ErrorObject | undefined {
  if (!isTooDeep(payload, encoding)) return undefined;
  return { code: "unencodable_result", message: "nested deeper than 2000 levels" };
}

function assertUnencodable(error: ErrorObject | undefined, parts: readonly string[]): void {
  assert.equal(error?.code, "unencodable_result");
  for (const part of parts) assert.ok(error.message.includes(part), `${part}: ${error.message}`);
}

async function checkArgument(
  peer: Peer,
  payload: Uint8Array,
  encoding: Encoding,
  end: End,
): Promise<void> {
  const { value, error } = await peer.answer(sendArgument(peer, payload, encoding));
  if (!end.error) {
    assert.equal(error, undefined, JSON.stringify(error));
    assert.deepEqual(value, end.value);
    return;
  }
  assert.equal(error?.code, "invalid_argument");
  for (const part of end.error) assert.ok(error.message.includes(part), error.message);
}

let lastId = 0;

function sendArgument(peer: Peer, payload: Uint8Array, encoding: Encoding): number {
  lastId += 1;
  const meta = encodeCall({ method: "sees", accept: "json" });
  peer.send({ kind: Kind.Call, encoding, id: lastId, meta, payload });
  return lastId;
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let at = value; typeof at === "object" && at !== null; depth += 1) {
    at = Array.isArray(at) ? at[0] : (at as { a?: unknown }).a;
  }
  return depth;
}
