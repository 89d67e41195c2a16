import assert from "node:assert/strict";
import { test } from "node:test";
import { allowOnly, bytes, readCases } from "../support/vectors.ts";

test("hex stands for bytes", () => {
  for (const [text, expected] of [
    ["", ""],
    ["61 62", "ab"],
    ["6162 (63*3)64", "abcccd"],
    ["(6162*2)(63*1)", "ababc"],
  ] as const) {
    assert.equal(bytes(text).toString(), expected, text);
  }
});

test("hex with a mistake is an error", () => {
  for (const text of [
    "6",
    "6g",
    "(61)",
    "(61*)",
    "(61*0)",
    "(61*-1)",
    "(61*3",
    "61)",
    "(6*2)",
    "(61*99999999999)",
  ]) {
    assert.throws(() => bytes(text), text);
  }
});

test("unknown keys are an error", () => {
  assert.throws(() => allowOnly("a", { expect: 1, exspect: 1 }, ["expect"]), /exspect/);
  assert.throws(() => readCases("frames.json", ["hex"]), /frames\.json: .*max_payload/);
});
