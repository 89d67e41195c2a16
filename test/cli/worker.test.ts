import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { encodeFrame, FrameReader, Kind } from "../../protocol/frame.ts";
import { encodeCall, encodeHello } from "../../protocol/message.ts";
import { start } from "../../src/index.ts";
import { cli, runCli, spawnCli } from "../support/cli.ts";
import { feed } from "../support/frames.ts";
import { collectLogs, fixture, isAlive, startHost, testNode, until } from "../support/host.ts";

const legacy = fixture("legacy.js");

async function lines(requests: readonly (object | string)[], end = "\n") {
  const input =
    requests.map((it) => (typeof it === "string" ? it : JSON.stringify(it))).join("\n") + end;
  const { code, stdout, stderr } = await runCli(["worker", legacy], { input });
  const answers = stdout.split("\n").filter((line) => line !== "");
  return { code, stderr, answers: answers.map((line) => JSON.parse(line)) };
}

describe("rootbridge worker, fed lines", { concurrency: 3 }, () => {
  test("answers one request with one line and exits with 0", async () => {
    const { code, answers } = await lines([{ method: "echo", data: { email: "a@b.c" } }]);
    assert.deepEqual({ code, answers }, { code: 0, answers: [{ data: { email: "a@b.c" } }] });
  });

  test("answers a last line without a line end", async () => {
    const { code, answers } = await lines([{ method: "count" }], "");
    assert.deepEqual({ code, answers }, { code: 0, answers: [{ data: 0 }] });
  });

  test("answers with an error object and exits with 1", async () => {
    const { code, answers } = await lines([{ method: "boom" }]);
    assert.equal(code, 1);
    assert.equal(answers[0].error.code, "exception");
    assert.equal(answers[0].error.name, "TypeError");
    assert.match(answers[0].error.stack, /legacy\.js/);
    assert.equal(answers[0].error.cause.message, "number 12");
  });

  test("runs requests at the same time and answers in their order; the last one decides the exit code", async () => {
    const good = await lines([
      { method: "sleep", data: 200 },
      { method: "boom" },
      { method: "echo", data: 1 },
    ]);
    assert.equal(good.code, 0);
    assert.deepEqual(
      good.answers.map(({ data, error }) => error?.code ?? data),
      [200, "exception", 1],
    );
    const bad = await lines([{ method: "echo", data: 1 }, { method: "nope" }]);
    assert.equal(bad.code, 1);
    assert.equal(bad.answers[1].error.code, "method_not_found");
  });

  test("keeps trace ids, tells undefined from null, and gives bytes as base64", async () => {
    const { answers } = await lines([
      { method: "echo", data: null, trace_id: "t-1" },
      { method: "nothing", trace_id: "t-2" },
      { method: "bytes", data: 3 },
      { method: "nope", trace_id: "t-4" },
    ]);
    assert.deepEqual(answers.slice(0, 3), [
      { data: null, trace_id: "t-1" },
      { trace_id: "t-2" },
      { data: "BwcH", encoding: "base64" },
    ]);
    assert.equal(answers[3].trace_id, "t-4");
  });

  test("answers what is no request with invalid_argument, and skips empty lines", async () => {
    const requests = [
      "{}",
      "{nope secret",
      "",
      "[1]",
      " \r",
      "7",
      '{"method":1,"trace_id":"t"}',
      '{"method":"echo","timeout":0}',
      "\ufffd",
      { method: "echo", data: 1, more: 2 },
    ];
    const { code, answers } = await lines(requests);
    assert.equal(code, 0);
    assert.equal(answers.length, 8);
    for (const answer of answers.slice(0, 7)) assert.equal(answer.error.code, "invalid_argument");
    assert.equal(answers[4].trace_id, "t");
    assert.ok(!JSON.stringify(answers).includes("secret"));
    assert.deepEqual(answers[7], { data: 1 });
  });

  test("answers a line of the most bytes, and one that is longer with too_large", async () => {
    const request = (size: number) => `{"method":"count","data":"${"x".repeat(size)}"}`;
    const most = 33_554_432 - request(0).length;
    const { code, answers } = await lines([request(most), request(most + 1), { method: "count" }]);
    assert.equal(code, 0);
    assert.deepEqual(
      answers.map(({ data, error }) => error?.code ?? data),
      [1, "too_large", 0],
    );
  });

  test("ends a loop without end at its timeout and goes on with the next line", async () => {
    const { code, answers } = await lines([
      { method: "loop", timeout: 200 },
      { method: "echo", data: "next" },
    ]);
    assert.equal(code, 0);
    assert.deepEqual(
      answers.map(({ data, error }) => error?.code ?? data),
      ["deadline_exceeded", "next"],
    );
  });

  test("survives a crash of its worker and goes on with the next line", async () => {
    const { code, answers } = await lines([
      { method: "exit", data: 0 },
      { method: "echo", data: 1 },
      { method: "die" },
      { method: "echo", data: 2 },
    ]);
    assert.equal(code, 0);
    assert.deepEqual(
      answers.map(({ data, error }) => error?.code ?? data),
      ["worker_crashed", 1, "worker_crashed", 2],
    );
  });

  test("prints what the code prints on stderr", async () => {
    const { answers, stderr } = await lines([{ method: "say", data: '{"data":"fake"}' }]);
    assert.deepEqual(answers, [{}]);
    assert.equal(stderr, '{"data":"fake"}\n');
  });

  test("answers each line at once, while stdin stays open", async () => {
    const child = spawnCli(["worker", legacy]);
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (const data of ["one", "two"]) {
      child.stdin.write(`${JSON.stringify({ method: "echo", data })}\n`);
      assert.deepEqual(JSON.parse((await answers.next()).value ?? ""), { data });
    }
    child.stdin.end();
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
  });

  test("answers each line with boot_failed when the code does not load", async () => {
    const input = '{"method":"a","trace_id":"t"}\n{"method":"b"}\n';
    const { code, stdout } = await runCli(["worker", fixture("broken-throw.js")], { input });
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(code, 1);
    assert.deepEqual(
      answers.map(({ error }) => error.code),
      ["boot_failed", "boot_failed"],
    );
    assert.equal(answers[0].trace_id, "t");
    assert.match(answers[1].error.message, /no config found/);
  });

  test("tells of an error outside of any call, and goes on", async () => {
    const child = spawnCli(["worker", legacy]);
    const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.stdin.write('{"method":"crash_after","data":1}\n');
    assert.equal((await answers.next()).value, '{"data":1}');
    await until(() => stderr.includes("legacy.js"), "the error is shown");
    assert.match(
      stderr,
      /^error: outside of any call: worker_crashed: .*left behind\n {4}at .*legacy\.js/,
    );
    child.stdin.end('{"method":"echo","data":2}\n');
    assert.equal((await answers.next()).value, '{"data":2}');
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });

  test("does nothing for no input", async () => {
    const { code, stdout } = await runCli(["worker", legacy]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  });

  test("takes more lines than it runs at a time", async () => {
    const requests = Array.from({ length: 2_000 }, (_, data) => ({ method: "echo", data }));
    const { code, answers } = await lines(requests);
    assert.equal(code, 0);
    assert.deepEqual(
      answers.map(({ data }) => data),
      requests.map(({ data }) => data),
    );
  });
});

describe("rootbridge worker, fed frames", { concurrency: 3 }, () => {
  const command = [process.execPath, cli, "worker", legacy, "--node", testNode];

  test("is a worker program for any host", async (t) => {
    const host = await startHost(t, { command });
    assert.ok(host.methods.includes("echo"));
    assert.deepEqual(await host.call("echo", { a: 1 }), { a: 1 });
    assert.deepEqual(await host.call("bytes", 300_000), Buffer.alloc(300_000, 7));
  });

  test("ends with the exit code of its worker", async () => {
    const child = spawnCli(["worker", legacy]);
    const hello = { protocol: 1, maxPayload: 1_024, encodings: ["json" as const, "raw" as const] };
    child.stdin.write(encodeFrame({ kind: Kind.Hello, payload: encodeHello(hello) }));
    const kinds: number[] = [];
    const reader = new FrameReader();
    child.stdout.on("data", (chunk) => feed(reader, chunk, ({ kind }) => kinds.push(kind)));
    await until(() => kinds.includes(Kind.Ready), "the worker is ready");
    child.stdin.write("text in place of a frame");
    const [code] = await once(child, "exit");
    assert.equal(code, 70);
    assert.deepEqual(kinds, [Kind.Hello, Kind.Ready, Kind.Error]);
  });

  test("ends with its host's stdin, in the middle of a call", async () => {
    const child = spawnCli(["worker", legacy]);
    const hello = { protocol: 1, maxPayload: 1_024, encodings: ["json" as const, "raw" as const] };
    child.stdin.write(encodeFrame({ kind: Kind.Hello, payload: encodeHello(hello) }));
    child.stdin.write(
      encodeFrame({ kind: Kind.Call, id: 1, meta: encodeCall({ method: "never" }) }),
    );
    child.stdin.end();
    child.stdout.resume();
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
  });

  test("takes its worker along when it is killed, even out of a loop", async () => {
    const { logger } = collectLogs();
    const host = await start({ command, workers: 1, logger });
    const pid = await host.call<number>("pid");
    const parent = host.stats().workers[0]?.pid ?? 0;
    const loop = host.call("loop").catch(() => undefined);
    process.kill(parent, "SIGKILL");
    await until(() => !isAlive(pid), "the worker has ended");
    await loop;
    await host.close();
  });
});

test("rootbridge worker says that FILE is not there, and exits with 2, whatever comes on stdin", async () => {
  for (const input of ["", '{"method":"echo"}\n', Buffer.of(0xff)]) {
    const { code, stdout, stderr } = await runCli(["worker", "nope.js"], { input });
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /^error: .*expected a file or package folder, got .*nope\.js\n$/);
  }
});
