import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CallOptions } from "../../src/index.ts";
import { collectLogs, failure, fixture, startHost } from "../support/host.ts";

describe("values", { concurrency: true }, () => {
  for (const codec of ["json", "msgpack"] as const) {
    test(`cross unchanged with ${codec}`, async (t) => {
      const host = await startHost(t, { codec });
      for (const value of [
        null,
        true,
        0,
        -1.5,
        2 ** 40,
        "",
        "é😀",
        [],
        {},
        [1, [null]],
        { a: { b: [] } },
      ]) {
        assert.deepEqual(await host.call("echo", value), value);
      }
    });
  }

  test("no argument is no argument, and undefined comes back as undefined", async (t) => {
    const host = await startHost(t);
    assert.equal(await host.call("count"), 0);
    assert.equal(await host.call("count", null), 1);
    assert.equal(await host.call("nothing"), undefined);
  });

  test("bytes cross as they are, whatever holds them", async (t) => {
    const host = await startHost(t);
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const view of [bytes, Buffer.from(bytes), bytes.buffer, new DataView(bytes.buffer)]) {
      const result = await host.call("echo", view);
      assert.ok(Buffer.isBuffer(result));
      assert.deepEqual([...result], [...bytes]);
    }
    assert.deepEqual(await host.call("echo", Buffer.alloc(0)), Buffer.alloc(0));
  });

  test("msgpack keeps what JSON has no form for", async (t) => {
    const host = await startHost(t, { codec: "msgpack" });
    const value = { at: new Date(1_700_000_000_123), id: 2n ** 60n, bytes: Buffer.from("ab") };
    const result = await host.call<typeof value>("echo", value);
    assert.deepEqual(result.at, value.at);
    assert.equal(result.id, value.id);
    assert.deepEqual(Buffer.from(result.bytes), value.bytes);
  });

  test("a large result is whole", async (t) => {
    const host = await startHost(t);
    const results = await Promise.all(
      [5_000_000, 1, 300_000].map((size) => host.call("bytes", size)),
    );
    assert.deepEqual(results, [
      Buffer.alloc(5_000_000, 7),
      Buffer.alloc(1, 7),
      Buffer.alloc(300_000, 7),
    ]);
    assert.equal((await host.call<string>("text", 3_000_000)).length, 3_000_000);
  });

  test("what can't be sent is refused with its place in the value", async (t) => {
    const host = await startHost(t);
    const bigint = await failure(host.call("echo", { a: [{ b: 1n }] }), "invalid_argument");
    assert.match(bigint.message, /a\[0\]\.b/);
    const circle: Record<string, unknown> = {};
    circle["self"] = { circle };
    await failure(host.call("echo", circle), "invalid_argument");
    await failure(
      host.call("echo", () => 1),
      "invalid_argument",
    );
  });

  test("2,000 levels cross and one more is refused, either way", async (t) => {
    const host = await startHost(t);
    assert.equal(depthOf(await host.call("echo", nested(2_000))), 2_000);
    assert.equal(depthOf(await host.call("deep", 2_000)), 2_000);
    await failure(host.call("echo", nested(2_001)), "invalid_argument");
    await failure(host.call("deep", 2_001), "unencodable_result");
    await failure(host.call("echo", nested(100_000)), "invalid_argument");
  });

  test("an argument or result at the limit crosses and one byte more does not", async (t) => {
    const host = await startHost(t, { maxPayload: 10_000 });
    assert.equal((await host.call<Buffer>("echo", Buffer.alloc(10_000))).length, 10_000);
    assert.equal(await host.call("count", Buffer.alloc(10_000)), 1);
    await failure(host.call("count", Buffer.alloc(10_001)), "too_large");
    await failure(host.call("bytes", 10_001), "too_large");
    await failure(host.call("text", 10_000), "too_large"); // with its quotes
    assert.equal(await host.call("echo", "fine"), "fine");
  });

  test("a result that has no form is refused, with its place in the value", async (t) => {
    const host = await startHost(t);
    const bigint = await failure(host.call("bigint"), "unencodable_result");
    assert.match(bigint.message, /total/);
    const circular = await failure(host.call("circular"), "unencodable_result");
    assert.match(circular.message, /lines\[0\]\.order/);
  });
});

describe("calls", { concurrency: true }, () => {
  test("follow the convention of the host, or their own", async (t) => {
    const host = await startHost(t, { convention: "args" });
    assert.equal(await host.call("add", [2, 3]), 5);
    assert.equal(await host.call("count"), 0);
    assert.deepEqual(await host.call("echo", { a: 1 }, { convention: "value" }), { a: 1 });
    assert.equal(await host.call("later", 7, { convention: "callback" }), 7);
    assert.equal(await host.call("add_later", [2, 3], { convention: "args_callback" }), 5);
    await failure(host.call("add", { a: 1 }), "invalid_argument");
    const error = await failure(
      host.call("fail_later", 1, { convention: "callback" }),
      "exception",
    );
    assert.match(error.message, /later/);
  });

  test("run at the same time and each gets its own answer", async (t) => {
    const host = await startHost(t, { workers: 2 });
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    assert.deepEqual(await Promise.all(values.map((n) => host.call("echo", n))), values);
    const { succeeded, workers } = host.stats();
    assert.equal(succeeded, 200);
    assert.ok(workers.every(({ calls }) => calls > 0));
  });

  test("tell the function who calls, and mark its log lines", async (t) => {
    const { logger, lines } = collectLogs();
    const modern = await startHost(t, { entry: fixture("modern.mjs") });
    assert.deepEqual(await modern.call("trace", undefined, { traceId: "t-1" }), {
      traceId: "t-1",
      method: "trace",
    });
    const host = await startHost(t, { logger });
    await host.call("say", "hello there", { traceId: "t-2" });
    const said = lines.find(({ message }) => message === "hello there");
    assert.equal(said?.level, "info");
    assert.deepEqual(
      {
        trace: said?.fields["trace_id"],
        method: said?.fields["method"],
        source: said?.fields["source"],
      },
      { trace: "t-2", method: "say", source: "console" },
    );
  });

  test("survive a logger that throws", async (t) => {
    const fail = (): never => {
      throw new Error("disk full");
    };
    const logger = { debug: fail, info: fail, warn: fail, error: fail };
    const host = await startHost(t, { logger });
    await host.call("say", "hello");
    assert.equal(await host.call("echo", 1), 1);
  });

  test("to what is not exported are refused", async (t) => {
    const host = await startHost(t);
    for (const name of ["nope", "", "constructor", "__proto__.x", "toString", "echo.call"]) {
      const error = await failure(host.call(name), "method_not_found");
      assert.equal(error.method, name);
    }
  });

  test("with options of another type are refused, whatever a caller without types gives", async (t) => {
    const host = await startHost(t);
    for (const [name, options] of Object.entries({
      timeout: { timeout: "5" },
      traceId: { traceId: 7 },
      traceparent: { traceparent: {} },
      convention: { convention: "promise" },
    })) {
      const error = await failure(host.call("echo", 1, options as CallOptions), "invalid_argument");
      assert.match(error.message, new RegExp(`expected ${name} to be `));
    }
    await failure(host.call(5 as unknown as string), "invalid_argument");
    assert.equal(host.stats().ready, 1); // no worker has seen any
  });

  test("with a timeout or names that can't be are refused", async (t) => {
    const host = await startHost(t);
    for (const timeout of [0, -1, Number.NaN, 2 ** 31]) {
      await failure(host.call("echo", 1, { timeout }), "invalid_argument");
    }
    await failure(host.call("x".repeat(20_000)), "invalid_argument");
    await failure(host.call("echo", 1, { traceId: "x".repeat(20_000) }), "invalid_argument");
    assert.equal(await host.call("echo", 1, { timeout: Number.POSITIVE_INFINITY }), 1);
  });
});

describe("an exception", { concurrency: true }, () => {
  test("comes with the JavaScript error as its cause, whole", async (t) => {
    const host = await startHost(t);
    const error = await failure(host.call("boom"), "exception");
    assert.equal(error.message, "boom: exception: TypeError: no such order");
    assert.match(String(error.stack), /call\.test\.ts/, "its own stack shows the caller");
    const thrown = error.cause as Error & { code: string; order: unknown };
    assert.equal(thrown.name, "TypeError");
    assert.equal(thrown.message, "no such order");
    assert.match(String(thrown.stack), /legacy\.js:\d+/);
    assert.equal(thrown.code, "E_ORDER");
    assert.deepEqual(thrown.order, { id: 12 });
    assert.equal((thrown.cause as Error).name, "RangeError");
  });

  test("may be several", async (t) => {
    const host = await startHost(t);
    const { cause } = await failure(host.call("booms"), "exception");
    assert.ok(cause instanceof AggregateError);
    assert.deepEqual(
      cause.errors.map(({ name, message }: Error) => [name, message]),
      [
        ["Error", "one"],
        ["TypeError", "two"],
      ],
    );
  });

  test("may be no Error at all", async (t) => {
    const host = await startHost(t);
    for (const value of ["text", 12, null, { status: 404 }]) {
      const { cause } = await failure(host.call("toss", value), "exception");
      assert.deepEqual(cause, value);
    }
  });

  test("is no more than data in JSON", async (t) => {
    const host = await startHost(t);
    const error = JSON.parse(JSON.stringify(await failure(host.call("boom"), "exception")));
    assert.deepEqual(Object.keys(error).sort(), [
      "cause",
      "code",
      "fields",
      "message",
      "name",
      "stack",
    ]);
    assert.deepEqual(error.fields, { code: "E_ORDER", order: { id: 12 } });
  });
});

function nested(levels: number): unknown {
  let value: unknown = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let at = value; Array.isArray(at); at = at[0]) depth++;
  return depth;
}
