import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Host, type Options, start } from "../../src/index.ts";
import { collectLogs, failure, fixture, startHost, until } from "../support/host.ts";

const fast = { killGrace: 200, bootTimeout: 5_000 };

function hostile(act: string): Options {
  return { command: [process.execPath, fixture("hostile.mjs"), act], ...fast };
}

function startHostile(t: TestContext, act: string, options: Options = {}): Promise<Host> {
  return startHost(t, { ...hostile(act), ...options });
}

describe("a worker that breaks the framing fails the calls on it and is replaced", {
  concurrency: true,
}, () => {
  for (const [act, words] of [
    ["text", /magic ff 52 42, got .*hello/],
    ["version", /version 1, got a frame of version 9/],
    ["payload length over the limit", /at most 33554432 bytes of payload/],
    ["meta length over the limit", /at most 16384 bytes of meta/],
    ["second hello", /second hello/],
    ["goaway that is no map", /goaway/],
    ["pings without end", /expected the worker to read its pongs/],
  ] as const) {
    test(act, async (t) => {
      const host = await startHostile(t, act);
      const neighbour = failure(host.call("act"), "protocol_error");
      const error = await failure(host.call("act"), "protocol_error");
      assert.match(error.message, words);
      await neighbour;
      assert.equal(await host.call("echo", "next"), "next");
    });
  }
});

test("a worker that dies inside a frame has crashed", async (t) => {
  const host = await startHostile(t, "end inside a frame");
  await failure(host.call("act"), "worker_crashed");
  assert.equal(await host.call("echo", "next"), "next");
});

describe("a frame that is wrong in itself fails its own call only", { concurrency: true }, () => {
  for (const [act, code] of [
    ["reply that is no JSON", "unencodable_result"],
    ["reply in msgpack that was not agreed", "protocol_error"],
    ["reply in a reserved encoding", "protocol_error"],
    ["error that is no JSON", "protocol_error"],
    ["error without a code", "protocol_error"],
    ["error of the wrong types", "exception"],
  ] as const) {
    test(act, async (t) => {
      const host = await startHostile(t, act);
      const neighbour = host.call("echo", "neighbour");
      await failure(host.call("act"), code);
      assert.equal(await neighbour, "neighbour");
      assert.equal(host.stats().restarts, 0);
    });
  }

  test("an error with a code of a later release keeps it", async (t) => {
    const host = await startHostile(t, "error with a code of later");
    const error = await failure(host.call("act"), "teapot" as "exception");
    assert.match(error.message, /short and stout/);
  });

  test("an error's fields can't reach a prototype", async (t) => {
    const host = await startHostile(t, "error with a proto");
    const { cause } = await failure(host.call("act"), "exception");
    assert.equal(Object.getPrototypeOf(cause), Error.prototype);
    assert.deepEqual(Object.getOwnPropertyDescriptor(cause, "__proto__")?.value, { polluted: 1 });
  });
});

describe("what belongs to nothing is skipped", { concurrency: true }, () => {
  test("unknown kinds, and answers to no call", async (t) => {
    const host = await startHostile(t, "unknown kinds and strays");
    assert.equal(await host.call("act"), "fine");
    assert.equal(await host.call("echo", 1), 1);
  });

  test("a second reply goes to nobody", async (t) => {
    const host = await startHostile(t, "two replies");
    const [first, ...others] = await Promise.all([
      host.call("act"),
      ...[1, 2, 3].map((n) => host.call("echo", n)),
    ]);
    assert.equal(first, "first");
    assert.deepEqual(others, [1, 2, 3]);
  });

  test("log lines with odd or broken meta are still lines", async (t) => {
    const { logger, lines } = collectLogs();
    const host = await startHostile(t, "log lines of all sorts", { logger });
    await host.call("act");
    const texts = lines.map(({ level, message }) => `${level} ${message}`);
    for (const text of ["info plain", "info odd", "info bad", "warn from pino", "info \ufffdA"]) {
      assert.ok(texts.includes(text), `${text} in ${texts}`);
    }
    const pino = lines.find(({ message }) => message === "from pino");
    assert.deepEqual(pino?.fields["fields"], { order: 12 });
  });

  test("nobody kills a worker that answers other calls in place of its ping", async (t) => {
    const host = await startHostile(t, "busy for a while", { concurrency: 1_000, killGrace: 800 });
    const busy = failure(host.call("act", undefined, { timeout: 1_000 }), "deadline_exceeded");
    const others = Array.from({ length: 200 }, () => host.call("echo"));
    await busy;
    assert.equal(host.stats().suspect, 1);
    await Promise.all(others);
    assert.equal(await host.call("echo", "after"), "after");
    assert.equal(host.stats().restarts, 0);
  });

  test("a ping gets its pong, and one that is too long gets none", async (t) => {
    const host = await startHostile(t, "a ping");
    assert.equal(await host.call("act"), "are you there");
  });
});

for (const act of ["error that is secret text", "error that is a secret string"]) {
  test(`what a worker sent is not quoted: ${act}`, async (t) => {
    const host = await startHostile(t, act);
    const error = await failure(host.call("act"), "protocol_error");
    assert.match(
      error.message,
      /the worker sent an error that is none: error: expected a JSON obj/,
    );
    assert.doesNotMatch(error.message, /hunter/);
  });
}

describe("a worker that is leaving", { concurrency: true }, () => {
  test("hands the calls that it has not begun to its replacement", async (t) => {
    const host = await startHostile(t, "goaway with last_id");
    const calls = [host.call("act"), ...[1, 2, 3].map((n) => host.call("echo", n))];
    assert.deepEqual(await Promise.all(calls), ["done", 1, 2, 3]);
    assert.equal(host.stats().restarts, 1);
  });

  test("by closing its stdin is killed, and its calls fail", async (t) => {
    const host = await startHostile(t, "closed stdin");
    const call = failure(host.call("act"), "worker_crashed");
    const more = setInterval(() => void host.call("echo", 1).catch(() => undefined), 20);
    t.after(() => clearInterval(more));
    await call;
    await until(() => host.stats().restarts === 1, "it was replaced");
  });
});

test("a worker that closes its stdin while calls run is killed, though nothing more is sent to it", async (t) => {
  const host = await startHostile(t, "closed stdin");
  const error = await failure(host.call("act"), "worker_crashed");
  assert.match(error.message, /closed its stdin/);
  assert.equal(await host.call("echo", 1), 1);
});

describe("a worker that does not start as the protocol says is boot_failed", {
  concurrency: true,
}, () => {
  for (const [act, words] of [
    ["noise without end", /expected a hello/],
    ["no hello", /not ready within 300 ms/],
    ["ready before hello", /ready before hello|not ready within/],
    ["hello without raw", /"json" and "raw"/],
    ["hello that is no JSON", /hello: expected a JSON object/],
    ["tiny limit", /max_payload/],
    ["ready without methods", /methods/],
  ] as const) {
    test(act, async () => {
      const { logger } = collectLogs();
      const bootTimeout = act === "no hello" || act === "ready before hello" ? 300 : 5_000;
      const error = await failure(
        start({ ...hostile(act), bootTimeout, workers: 1, logger }),
        "boot_failed",
      );
      assert.match(error.message, words);
    });
  }

  test("noise before its hello is logged and skipped", async (t) => {
    const { logger, lines } = collectLogs();
    const host = await startHostile(t, "noise before hello", { logger });
    assert.equal(await host.call("echo", 1), 1);
    assert.ok(lines.some(({ message }) => message.startsWith("starting")));
  });

  test("msgpack that it does not speak", async () => {
    const { logger } = collectLogs();
    const error = await failure(
      start({ ...hostile("text"), codec: "msgpack", logger }),
      "boot_failed",
    );
    assert.match(error.message, /does not speak msgpack/);
  });

  test("an argument over its limit is too_large, and costs nothing else", async (t) => {
    const host = await startHostile(t, "text");
    assert.equal((await host.call<Buffer>("echo", Buffer.alloc(100_000))).length, 100_000);
    await failure(host.call("echo", Buffer.alloc(100_001)), "too_large");
    assert.equal(host.stats().inFlight, 0);
  });
});
