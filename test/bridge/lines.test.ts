import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fixture, temporaryFolder, testNode, WORKER } from "../support/worker-process.ts";

interface Answered {
  code: number | null;
  answers: {
    data?: unknown;
    error?: { code: string; message: string; name?: string };
    trace_id?: unknown;
    encoding?: string;
  }[];
  stderr: string;
}

/** Feeds a worker lines through real pipes, and reads its answers. */
function feed(
  t: TestContext,
  requests: readonly (object | string)[],
  file = "calls/lines.js",
): Answered {
  const folder = temporaryFolder(t);
  const input = requests
    .map((request) => (typeof request === "string" ? request : JSON.stringify(request)))
    .join("\n");
  // A pipe each way, as a shell makes them; the exit code comes back on descriptor 3.
  const command = '{ cat | "$0" "$1" "$2"; echo "$?" >&3; } 3>"$3" 2>>"$4" | cat';
  const [status, log] = [join(folder, "status"), join(folder, "log")];
  const args = ["-c", command, testNode, WORKER, fixture(file), status, log];
  const { stdout } = spawnSync("sh", args, { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  const answers = stdout.split("\n").filter((line) => line !== "");
  const code = Number(readFileSync(status, "utf8"));
  const stderr = readFileSync(log, "utf8");
  return { code, stderr, answers: answers.map((line) => JSON.parse(line)) };
}

test("requests are answered in their order, and the last decides the exit code", (t) => {
  const good = feed(t, [
    { method: "wait", data: 50 },
    { method: "boom" },
    { method: "echo", data: "x", trace_id: "t" },
  ]);
  assert.equal(good.code, 0);
  assert.deepEqual(
    good.answers.map(({ data, error, trace_id }) => [data ?? error?.code, trace_id]),
    [
      [50, undefined],
      ["exception", undefined],
      ["x", "t"],
    ],
  );
  const bad = feed(t, [
    { method: "echo", data: 1 },
    { method: "nope", trace_id: "t" },
  ]);
  assert.equal(bad.code, 1);
  assert.deepEqual(
    [bad.answers[1]?.error?.code, bad.answers[1]?.trace_id],
    ["method_not_found", "t"],
  );
});

test("absent data is no argument, null is one; undefined is no data, bytes are base64", (t) => {
  const { answers, code } = feed(t, [
    { method: "count" },
    { method: "count", data: null },
    { method: "echo" },
    { method: "bytes" },
  ]);
  assert.equal(code, 0);
  assert.deepEqual(answers, [
    { data: 0 },
    { data: 1 },
    {},
    { data: "Ynl0ZXM=", encoding: "base64" },
  ]);
});

test("lines that are no request are answered with what was expected", (t) => {
  const wrong = [
    "{",
    "[1]",
    "{}",
    '{"method":1}',
    '{"method":"echo","timeout":0}',
    '{"method":"echo","timeout":"1"}',
  ];
  const { answers, code } = feed(t, ['{"method":"echo"}', ...wrong]);
  assert.equal(code, 1);
  assert.equal(answers.length, wrong.length + 1);
  for (const { error } of answers.slice(1)) {
    assert.equal(error?.code, "invalid_argument");
    assert.match(error?.message ?? "", /expected \{"method"/);
  }
});

test("a line over 32 MiB is too_large, the next is answered", (t) => {
  const { answers } = feed(t, [
    { method: "count" },
    `{"method":"count","data":"${"x".repeat(33_554_432)}"}`,
    { method: "echo", data: 1 },
  ]);
  assert.deepEqual(
    answers.map(({ data, error }) => data ?? error?.code),
    [0, "too_large", 1],
  );
});

test("a timeout answers deadline_exceeded and aborts the signal", (t) => {
  const { answers, code, stderr } = feed(t, [
    { method: "aborted", timeout: 30, trace_id: "t" },
    { method: "never", timeout: 40 },
    { method: "wait", data: 200 },
  ]);
  assert.equal(code, 0);
  assert.deepEqual(
    answers.map(({ data, error }) => data ?? error?.code),
    ["deadline_exceeded", "deadline_exceeded", 200],
  );
  assert.match(answers[0]?.error?.message ?? "", /within 30 ms/);
  assert.match(stderr, /TimeoutError/);
});

test("what user code prints, by whatever way, goes to stderr", (t) => {
  const { answers, stderr } = feed(t, [{ method: "print", data: "hello" }]);
  assert.deepEqual(answers, [{}]);
  for (const part of [
    /^hello$/m,
    /^hello by stream$/m,
    /^hello by descriptor$/m,
    /^hello by child$/m,
  ]) {
    assert.match(stderr, part);
  }
  assert.match(stderr, /"level":"warn","msg":"hello","method":"print","field":1/);
});

test("a logger's fields take no name of the record's own, and need no form as JSON", (t) => {
  const requests = ["taken", "big", "unreadable"].map((method) => ({ method, trace_id: "t-1" }));
  const { answers, code, stderr } = feed(t, requests, "calls/line-logs.js");
  assert.deepEqual(
    answers.map(({ error }) => error),
    [undefined, undefined, undefined],
  );
  assert.equal(code, 0);
  const own = (method: string, msg: string) => ({ level: "info", msg, method, trace_id: "t-1" });
  const taken = { msg: "a field", level: "gold", method: "GET", trace_id: "mine" };
  assert.deepEqual(
    stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [
      { ...own("taken", "order"), total: 1, fields: taken },
      { ...own("big", "order"), total: "[BigInt 12]", text: "y".repeat(40_000) },
      own("unreadable", "order … (fields were left out)"),
    ],
  );
});

test("lines are answered in their order behind stubs of Array.prototype's methods", (t) => {
  const stubs = ["push", "shift"].flatMap((method) =>
    ["silent", "throwing"].map((kind) => ({ method: "stub", data: ["Array", method, kind] })),
  );
  for (const stub of stubs) {
    const echo = [1, 2, 3].map((data) => ({ method: "echo", data }));
    const { answers, code } = feed(t, [stub, ...echo], "globals/prototypes.js");
    assert.deepEqual([answers, code], [[{}, { data: 1 }, { data: 2 }, { data: 3 }], 0]);
  }
});

test("process.exit answers all that is pending with worker_crashed and exits with 1", (t) => {
  const { answers, code } = feed(t, [
    { method: "never", trace_id: "a" },
    { method: "exit", data: 0, trace_id: "b" },
  ]);
  assert.equal(code, 1);
  assert.deepEqual(
    answers.map(({ error, trace_id }) => [error?.code, trace_id]),
    [
      ["worker_crashed", "a"],
      ["worker_crashed", "b"],
    ],
  );
});

test("an uncaught exception leaves calls a second, then answers them with worker_crashed", (t) => {
  const { answers, code, stderr } = feed(t, [
    { method: "throwLater" },
    { method: "wait", data: 200 },
    "", // a line end: the last request does not wait for the end of stdin
  ]);
  assert.equal(code, 0);
  assert.deepEqual(
    answers.map(({ data, error }) => data ?? error?.code),
    ["worker_crashed", 200],
  );
  assert.match(stderr, /nobody caught this/);
});

test("a call that can't settle any more is answered at the end of stdin", (t) => {
  const { answers, code } = feed(t, [{ method: "never" }]);
  assert.equal(code, 1);
  assert.match(answers[0]?.error?.message ?? "", /never settled/);
});

test("results without a form are unencodable_result", (t) => {
  const { answers } = feed(t, [{ method: "stream" }]);
  assert.equal(answers[0]?.error?.code, "unencodable_result");
});

test("code that does not load answers every request with boot_failed", (t) => {
  for (const file of [
    "load/throws.js",
    "load/syntax.mjs",
    "load/missing.js",
    "load/exits.js",
    "load/never.mjs",
    "load/nowhere.js",
    "load/rejects.mjs",
  ]) {
    const { answers, code } = feed(
      t,
      [{ method: "a", trace_id: "1" }, { method: "b", trace_id: "2" }, ""],
      file,
    );
    assert.equal(code, 1, file);
    assert.deepEqual(
      answers.map(({ error, trace_id }) => [error?.code, trace_id]),
      [
        ["boot_failed", "1"],
        ["boot_failed", "2"],
      ],
      file,
    );
  }
});

test("ES modules with a top-level await answer requests that came before they were ready", (t) => {
  assert.deepEqual(feed(t, [{ method: "get" }], "load/tla.mjs").answers, [{ data: "ready" }]);
});

test("wrong usage exits with 2 and says how it is used", () => {
  const run = (args: string[], input: string) =>
    spawnSync(testNode, [WORKER, ...args], { input, encoding: "utf8" });
  const noFile = run([], '{"method":"a"}\n');
  assert.deepEqual([noFile.status, noFile.stdout], [2, ""]);
  assert.match(noFile.stderr, /FILE/);
  const nothing = run([fixture("calls/lines.js")], "");
  assert.equal(nothing.status, 2);
  assert.match(nothing.stderr, /nothing came on stdin.*usage/s);
});

test("text that is neither a frame nor a request exits with 70", () => {
  const args = [WORKER, fixture("calls/lines.js")];
  assert.equal(spawnSync(testNode, args, { input: "hello\n" }).status, 70);
});

test("exit handlers run at the end of the requests", (t) => {
  const file = join(temporaryFolder(t), "leaves.js");
  writeFileSync(
    file,
    `process.on("exit", (code) => require("fs").writeSync(2, "left with " + code));
     exports.fail = () => { throw new Error("no"); };`,
  );
  const options = { input: '{"method":"fail"}\n', encoding: "utf8" } as const;
  const { status, stderr } = spawnSync(testNode, [WORKER, file], options);
  assert.deepEqual([status, stderr], [1, "left with 1"]);
});

test("requests come from a file and answers go to one, which can't be guarded", (t) => {
  const folder = temporaryFolder(t);
  const [input, output] = [join(folder, "in"), join(folder, "out")];
  writeFileSync(input, '{"method":"print","data":"hello"}\n{"method":"echo","data":1}');
  const stdio = [openSync(input, "r"), openSync(output, "w"), "pipe"] as const;
  const { status, stderr } = spawnSync(testNode, [WORKER, fixture("calls/lines.js")], {
    stdio: [...stdio],
    encoding: "utf8",
  });
  closeSync(stdio[0]);
  closeSync(stdio[1]);
  assert.equal(status, 0);
  assert.equal(readFileSync(output, "utf8"), '{}\n{"data":1}\n');
  assert.match(stderr, /^hello by child$/m);
  assert.match(stderr, /^hello by descriptor$/m);
});

test("a request is answered while stdin stays open", async (t) => {
  const child = spawn(testNode, [WORKER, fixture("calls/lines.js")], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  child.stdin.write('{"method":"echo","data":1}\n');
  const [first] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(first.toString(), '{"data":1}\n');
  child.stdin.end('{"method":"boom"}');
  assert.deepEqual(await once(child, "close"), [1, null]);
});

test("answers wait for a reader that pauses, as a pager does", async (t) => {
  const child = spawn(testNode, [WORKER, fixture("calls/lines.js")], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  const closed = once(child, "close");
  const data = "x".repeat(100_000);
  child.stdin.end(`${JSON.stringify({ method: "echo", data })}\n`.repeat(20));
  await setTimeout(3_000); // longer than the last writing of a process may stand still
  const lines = (await child.stdout.toArray()).join("").split("\n");
  assert.deepEqual(lines, [...new Array(20).fill(JSON.stringify({ data })), ""]);
  assert.deepEqual(await closed, [0, null]);
});

test("SIGUSR2 ends nothing: stderr says that nobody could replace the worker", async (t) => {
  const child = spawn(testNode, [WORKER, fixture("calls/lines.js")], { stdio: "pipe" });
  t.after(() => child.kill("SIGKILL"));
  child.stdin.write('{"method":"echo","data":1}\n{"method":"aborted"}\n');
  await once(child.stdout, "data");
  child.kill("SIGUSR2");
  const [said] = (await once(child.stderr, "data")) as [Buffer];
  assert.match(said.toString(), /^rootbridge worker: SIGUSR2 changes nothing/);
  child.stdin.write('{"method":"echo","data":2}\n');
  child.stdin.end('{"method":"exit","data":0}\n');
  const answers = (await child.stdout.toArray()).join("").trim().split("\n");
  assert.deepEqual(
    answers.map((line) => JSON.parse(line)).map(({ data, error }) => data ?? error.code),
    ["worker_crashed", 2, "worker_crashed"],
  );
});

test("a request after an uncaught exception is answered with worker_unavailable", async (t) => {
  const child = spawn(testNode, [WORKER, fixture("calls/lines.js")], { stdio: "pipe" });
  t.after(() => child.kill("SIGKILL"));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => JSON.parse((await answers.next()).value ?? "");
  child.stdin.write('{"method":"throwLater"}\n');
  assert.equal((await answer()).error.code, "worker_crashed");
  child.stdin.write('{"method":"echo","data":1,"trace_id":"t"}\n');
  const { error, trace_id } = await answer();
  assert.deepEqual([error.code, trace_id], ["worker_unavailable", "t"]);
  child.stdin.end();
  assert.deepEqual(await once(child, "close"), [1, null]);
});
