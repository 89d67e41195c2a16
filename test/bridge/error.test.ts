import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorObject } from "../../protocol/error.ts";
import { Peer } from "../support/peer.ts";
import { testNodeMajor } from "../support/worker-process.ts";

const FILE = "errors/thrown.js";

test("an error crosses whole: name, message, stack, cause chain, code, own fields", async (t) => {
  const peer = await Peer.start(t, FILE);
  const error = await peer.fail("whole");
  assert.deepEqual(
    [error.code, error.name, error.message],
    ["exception", "OrderError", "no stock"],
  );
  assert.deepEqual(error.fields, {
    code: "E_ORDER",
    status: 422,
    details: { items: [{ sku: "a", wanted: 3 }], at: "1970-01-01T00:00:00.000Z" },
  });
  assert.match(error.stack ?? "", /^OrderError: no stock\n {4}at .*thrown\.js:14:9\)?$/);
  assert.deepEqual([error.cause?.name, error.cause?.message], ["TypeError", "inner"]);
  assert.deepEqual(error.cause?.cause, {
    message: "text cause",
    name: "string",
    value: "text cause",
  });
  assert.equal("code" in (error.cause ?? {}), false);
  assert.equal(error.truncated, undefined);
  await peer.goaway();
});

test("the stack of an error holds no frame of the worker", async (t) => {
  const peer = await Peer.start(t, FILE);
  for (const method of ["whole", "rejected", "numericCode"]) {
    const { stack = "" } = await peer.fail(method);
    assert.match(stack, /thrown\.js/);
    assert.doesNotMatch(stack, /worker\.cjs|async_hooks/);
  }
});

test("an AggregateError brings its errors, thrown values too", async (t) => {
  const peer = await Peer.start(t, FILE);
  const error = await peer.fail("aggregate");
  assert.equal(error.name, "AggregateError");
  assert.deepEqual(
    error.errors?.map(({ name, message }) => [name, message]),
    [
      ["Error", "one"],
      ["string", "two"],
    ],
  );
  assert.equal(error.fields, undefined);
});

const THROWN: Record<string, Partial<ErrorObject>> = {
  text: { name: "string", message: "just text", value: "just text" },
  number: { name: "number", message: "42 was thrown", value: 42 },
  undefined: { name: "undefined", message: "undefined was thrown" },
  rejectNothing: { name: "undefined", message: "undefined was thrown" },
  null: { name: "null", message: "null was thrown", value: null },
  symbol: { name: "symbol", message: "Symbol(odd) was thrown", value: "[Symbol(odd)]" },
  function: { name: "function", value: "[Function odd]" },
  bigint: { name: "bigint", message: "12 was thrown", value: "[BigInt 12]" },
  object: {
    name: "object",
    message: "plain object",
    value: { code: 7, message: "plain object", nested: { a: [1] } },
  },
  objectWithStack: {
    name: "Custom",
    message: "with a stack",
    stack: "Custom: with a stack\n    at somewhere",
    fields: { extra: 1 },
  },
  foreign: { name: "RangeError", message: "foreign realm", fields: { code: 5 } },
  numericCode: { name: "Error", message: "numeric", fields: { code: 404, errno: -2 } },
  oddName: { name: "Error", message: "not,text" },
  oddStack: { name: "Error", message: "odd" },
  getters: { message: "getters", fields: { extra: "[Throws: boom]", code: "[Throws: boom]" } },
  hostileGetters: { name: "Error", message: "an error without a message that can be read" },
  proxy: { name: "object" },
  revoked: { name: "object" },
  overflow: { name: "RangeError", message: "Maximum call stack size exceeded" },
  proxiedError: { name: "TypeError", message: "behind a proxy" },
};

test("whatever is thrown is described, and the next call runs", async (t) => {
  const peer = await Peer.start(t, FILE);
  for (const [method, expected] of Object.entries(THROWN)) {
    const error = await peer.fail(method);
    assert.equal(error.code, "exception");
    for (const [key, value] of Object.entries(expected)) {
      assert.deepEqual(error[key as keyof ErrorObject], value, `${method}: ${key}`);
    }
    assert.equal(await peer.call("fine"), "fine");
  }
  assert.equal("value" in (await peer.fail("undefined")), false);
  assert.match((await peer.fail("callSites")).stack ?? "", /^ {4}at .*thrown\.js/);
  await peer.goaway();
});

test("cycles of causes and fields end", async (t) => {
  const peer = await Peer.start(t, FILE);
  const cyclic = await peer.fail("cyclicCause");
  assert.equal(cyclic.cause?.message, "inner");
  assert.equal(cyclic.cause?.cause, undefined);
  assert.equal(cyclic.truncated, true);
  const self = await peer.fail("selfCause");
  assert.deepEqual([self.message, self.cause, self.truncated], ["self", undefined, true]);
  const { fields } = await peer.fail("cyclicField");
  assert.deepEqual(fields, {
    self: "[Error: cyclic]",
    request: { name: "request", response: { request: "[Circular]" } },
  });
});

test("a cause chain has at most eight links", async (t) => {
  const peer = await Peer.start(t, FILE);
  const error = await peer.fail("longChain");
  const chain: string[] = [];
  for (let link = error.cause; link; link = link.cause) chain.push(link.message);
  assert.deepEqual(
    chain,
    Array.from({ length: 8 }, (_, i) => `link ${18 - i}`),
  );
  assert.equal(error.truncated, true);
});

test("fields without a form in JSON are described as text", async (t) => {
  const peer = await Peer.start(t, FILE);
  const { fields, truncated } = await peer.fail("oddFields");
  assert.deepEqual(fields, {
    big: "[BigInt 12]",
    fn: "[Function named]",
    symbol: "[Symbol(s)]",
    nothing: "[undefined]",
    nan: "[NaN]",
    map: "[Map 1]",
    bytes: "[Bytes 6]",
    date: "1970-01-01T00:00:00.000Z",
    wrong: "[Invalid Date]",
    error: "[TypeError: inside]",
    toJSON: "not a function",
    decimal: "1.50",
    throwing: "[Throws: no json]",
    deep: { 2: { 3: { 4: "[Object]" } } },
    lone: "\ud800",
    ["__proto__"]: "own",
  });
  assert.equal(truncated, true);
});

for (const what of ["message", "stack", "fields", "wide", "causes", "errors"]) {
  test(`an error with too much in its ${what} is cut to 65,536 bytes and says so`, async (t) => {
    const peer = await Peer.start(t, FILE);
    const { frame, error } = await peer.ask("large", what);
    assert.ok(frame.payload.length <= 65_536, `${frame.payload.length}`);
    assert.equal(error?.truncated, true);
    assert.ok(error.message.length > 3);
    assert.equal(await peer.call("fine"), "fine");
  });
}

test("an AggregateError keeps sixteen errors at most", async (t) => {
  const peer = await Peer.start(t, FILE);
  const { errors = [] } = await peer.fail("large", "errors");
  assert.ok(errors.length > 0 && errors.length <= 16, `${errors.length}`);
});

test("stacks lead to the source where maps exist", async (t) => {
  // Node 18 parses a map anew for every error, so there it is left to whoever asks for it.
  const nodeArgs = testNodeMajor < 20 ? ["--enable-source-maps"] : [];
  const peer = await Peer.start(t, { file: "errors/mapped/index.js", nodeArgs });
  const { stack = "" } = await peer.fail("check", { total: -1 });
  assert.match(stack, /mapped\/source\.ts:8:11/);
  assert.equal(await peer.call("check", { total: 1 }), "ok");
});

test("errors are described although Error's own functions were replaced", async (t) => {
  const source = `Error.prepareStackTrace = () => { throw new Error("no stack for you") };
    Error.captureStackTrace = null; Error.stackTraceLimit = 0;
    globalThis.String = () => { throw 1 }; Object.keys = null; Array.isArray = null; Reflect.get = null;
    export const f = () => { const e = new TypeError("still here"); e.code = 1; throw e };`;
  const peer = await Peer.start(t, { source });
  const error = await peer.fail("f");
  assert.deepEqual(
    [error.name, error.message, error.fields],
    ["TypeError", "still here", { code: 1 }],
  );
});
