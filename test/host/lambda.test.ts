import assert from "node:assert/strict";
import {
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type CallOptions, type Host, type Options, start } from "../../src/index.ts";
import { collectLogs, failure, startHost, temporaryFolder, until } from "../support/host.ts";

const handlers = `
exports.handler = (event, context, callback) => callback(null, { event });
exports.api = { orders: async (event) => ({ orders: event }) };
exports.context = async (event, context) => ({ ...context, trace: process.env._X_AMZN_TRACE_ID, left: context.getRemainingTimeInMillis() });
exports.env = async (names) => Object.fromEntries(names.map((name) => [name, process.env[name]]));
exports.pid = async () => process.pid;
exports.hang = () => new Promise((resolve) => setTimeout(resolve, 600_000));
exports.spin = () => { for (;;); };
exports.waits = async (dir) => {
  const { existsSync, writeFileSync } = require("node:fs");
  const { signal } = require("rootbridge").currentCall();
  while (!(signal.aborted && existsSync(dir + "/go"))) await new Promise((resolve) => setTimeout(resolve, 2));
  writeFileSync(dir + "/done", "paid");
};
exports.rejects = async () => { Promise.reject(new TypeError("left")); await exports.hang(); };
let running = 0;
exports.most = async () => {
  const now = ++running;
  await new Promise((resolve) => setTimeout(resolve, 20));
  running -= 1;
  return now;
};
`;

/** Starts a host of a handler string in a folder of its own. */
function startTask(t: TestContext, entry: string, options: Options = {}): Promise<Host> {
  const dir = temporaryFolder(t);
  mkdirSync(join(dir, "src"));
  writeFileSync(join(dir, "index.js"), handlers);
  writeFileSync(join(dir, "src", "app.js"), handlers);
  return startHost(t, { entry, dir, convention: "lambda", ...options });
}

/** Begins an invocation, and settles when its caller has gone away, as soon as the handler runs. */
async function leave(host: Host, event: unknown, options: CallOptions = {}): Promise<void> {
  const caller = new AbortController();
  const { signal } = caller;
  const call = failure(host.call("", event, { ...options, signal }), "canceled");
  await until(() => host.stats().workers[0]?.calls === 1, "the invocation runs");
  caller.abort();
  await call;
}

describe("a host of a Lambda handler", { concurrency: 2 }, () => {
  test("calls the handler by the empty method, and others by their names", async (t) => {
    const host = await startTask(t, "src/app.api.orders");
    assert.deepEqual(await host.call("", { id: 7 }), { orders: { id: 7 } });
    assert.deepEqual(await host.call("handler", 1), { event: 1 });
    assert.deepEqual(await host.call("", Buffer.from('{"raw":true}')), { orders: { raw: true } });
    await failure(host.call("", Buffer.from("{")), "invalid_argument");
  });

  test("takes a file for an entry, too", async (t) => {
    const entry = join(temporaryFolder(t), "index.js");
    writeFileSync(entry, handlers);
    const host = await startHost(t, { entry, convention: "lambda" });
    assert.deepEqual(await host.call("", 5), { event: 5 });
    const other = await startHost(t, { entry });
    assert.deepEqual(await other.call("handler", 5, { convention: "lambda" }), { event: 5 });
  });

  test("hands on what an invocation carries", async (t) => {
    const lambda = { functionName: "orders", functionVersion: "7", memorySize: 512 };
    const host = await startTask(t, "index.context", { lambda, env: { AWS_REGION: "eu-west-1" } });
    const invocation = {
      requestId: "r-1",
      functionArn: "arn:live",
      clientContext: { custom: { a: 1 } },
      identity: "me",
      trace: "Root=1-2-3",
      tenantId: "tenant",
    };
    const call = host.call<Record<string, unknown>>("", {}, { invocation, timeout: 60_000 });
    const { left, logStreamName, ...context } = await call;
    assert.ok(Number(left) > 0 && Number(left) <= 60_000);
    assert.match(String(logStreamName), /^\d{4}\/\d\d\/\d\d\/\[7\][0-9a-f]{32}$/);
    assert.deepEqual(context, {
      callbackWaitsForEmptyEventLoop: true,
      functionVersion: "7",
      functionName: "orders",
      memoryLimitInMB: "512",
      logGroupName: "/aws/lambda/orders",
      clientContext: { custom: { a: 1 } },
      identity: "me",
      invokedFunctionArn: "arn:live",
      awsRequestId: "r-1",
      tenantId: "tenant",
      trace: "Root=1-2-3",
    });
    const plain = await host.call<Record<string, unknown>>("");
    assert.match(String(plain["awsRequestId"]), /^[0-9a-f-]{36}$/);
    const arn = "arn:aws:lambda:eu-west-1:000000000000:function:orders";
    assert.equal(plain["invokedFunctionArn"], arn);
    assert.equal(plain["trace"], undefined);
  });

  test("refuses what an invocation can't carry", async (t) => {
    const host = await startTask(t, "index.context");
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    for (const invocation of [
      null,
      { requestId: 7 },
      { clientContext: 1n },
      { identity: cyclic },
      { clientContext: "a".repeat(16_384) },
    ]) {
      const call = host.call("", {}, { invocation } as CallOptions);
      assert.match((await failure(call, "invalid_argument")).message, /invocation/);
    }
  });

  test("gives its workers Lambda's environment, and keeps what the user sets", async (t) => {
    const dir = realpathSync(temporaryFolder(t));
    writeFileSync(join(dir, "index.js"), handlers);
    const names = ["LAMBDA_TASK_ROOT", "_HANDLER", "TZ", "AWS_EXECUTION_ENV", "AWS_DEFAULT_REGION"];
    const lambda = { region: "eu-west-1", runtime: "nodejs24.x" } as const;
    const options = { entry: "index.env", dir, convention: "lambda", lambda } as const;
    const host = await startHost(t, options);
    assert.deepEqual(await host.call("", names), {
      LAMBDA_TASK_ROOT: dir,
      _HANDLER: "index.env",
      TZ: ":UTC",
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
      AWS_DEFAULT_REGION: "eu-west-1",
    });
    const env = { TZ: "Europe/Berlin", _HANDLER: "mine" };
    const own = await startHost(t, { ...options, env, replaceEnv: true });
    assert.deepEqual(await own.call("", ["TZ", "_HANDLER", "HOME"]), env);
  });

  test("shows the process's own runtime where none is chosen", async (t) => {
    const own = process.env["AWS_EXECUTION_ENV"];
    process.env["AWS_EXECUTION_ENV"] = "AWS_Lambda_nodejs24.x";
    t.after(() => {
      if (own === undefined) delete process.env["AWS_EXECUTION_ENV"];
      else process.env["AWS_EXECUTION_ENV"] = own;
    });
    const lambda = { runtime: "nodejs22.x" } as const;
    const names = ["AWS_EXECUTION_ENV"];
    for (const [options, want] of [
      [{}, "AWS_Lambda_nodejs24.x"],
      [{ lambda }, "AWS_Lambda_nodejs22.x"],
    ] as const) {
      const host = await startTask(t, "index.env", options);
      assert.deepEqual(await host.call("", names), { AWS_EXECUTION_ENV: want });
      assert.deepEqual(await host.call("handler", 1), { event: 1 });
    }
  });

  test("runs one invocation at a time in a worker, unless told otherwise", async (t) => {
    const host = await startTask(t, "index.most");
    assert.deepEqual(await Promise.all([host.call(""), host.call(""), host.call("")]), [1, 1, 1]);
    const several = await startTask(t, "index.most", { concurrency: 2 });
    assert.deepEqual(await Promise.all([several.call(""), several.call("")]), [1, 2]);
  });

  test("gives an error that nothing caught to the invocation, and starts another worker", async (t) => {
    const host = await startTask(t, "index.rejects");
    const before = await host.call("pid");
    const error = await failure(host.call(""), "exception");
    assert.equal((error.cause as Error).name, "Runtime.UnhandledPromiseRejection");
    assert.equal((error.cause as Error).message, "TypeError: left");
    assert.notEqual(await host.call("pid"), before);
  });

  for (const handler of ["hang", "spin"]) {
    test(`ends a worker with an overdue invocation at once: ${handler}`, async (t) => {
      const host = await startTask(t, `index.${handler}`, { killGrace: 60_000 });
      const before = await host.call("pid");
      await failure(host.call("", {}, { timeout: 500 }), "deadline_exceeded");
      assert.notEqual(await host.call("pid"), before);
      assert.equal(host.stats().restarts, 1);
    });
  }

  test("lets an invocation whose caller has gone away go on", async (t) => {
    const host = await startTask(t, "index.waits", { killGrace: 1_500 });
    const dir = temporaryFolder(t);
    await leave(host, dir);
    // Long after killGrace its place is still taken.
    await failure(host.call("pid", {}, { timeout: 3_500 }), "deadline_exceeded");
    writeFileSync(join(dir, "go"), "");
    await until(() => host.stats().lateReplies === 1, "it has ended");
    assert.equal(readFileSync(join(dir, "done"), "utf8"), "paid");
    assert.equal(host.stats().restarts, 0);
  });

  test("ends it when its own time is over", async (t) => {
    const host = await startTask(t, "index.hang", { killGrace: 60_000 });
    await leave(host, {}, { timeout: 2_000 });
    assert.equal(host.stats().restarts, 0);
    await host.call("pid", {}, { timeout: 60_000 });
    assert.equal(host.stats().restarts, 1);
  });

  test("lets it end while the host closes", async (t) => {
    const host = await startTask(t, "index.waits", { drainTimeout: 60_000 });
    const dir = temporaryFolder(t);
    await leave(host, dir);
    const closed = host.close();
    await failure(host.call("pid"), "closed");
    writeFileSync(join(dir, "go"), "");
    await closed;
    assert.equal(readFileSync(join(dir, "done"), "utf8"), "paid");
  });

  test("kills the worker if it blocks the event loop", async (t) => {
    const host = await startTask(t, "index.spin", { killGrace: 100 });
    await leave(host, {}, { timeout: 60_000 });
    await host.call("pid", {}, { timeout: 60_000 });
    assert.equal(host.stats().restarts, 1);
  });

  test("says why a handler does not load, with Lambda's types", async (t) => {
    const dir = temporaryFolder(t);
    writeFileSync(join(dir, "index.js"), 'exports.text = "text";');
    writeFileSync(join(dir, "syntax.js"), "exports.handler = async () => {");
    for (const [entry, name] of [
      ["index.handler", "Runtime.HandlerNotFound"],
      ["syntax.handler", "Runtime.UserCodeSyntaxError"],
      ["missing.handler", "Runtime.ImportModuleError"],
      ["../index.handler", "Runtime.MalformedHandlerName"],
    ] as const) {
      const { logger } = collectLogs();
      const options = { entry, dir, convention: "lambda", logger } as const;
      const error = await failure(start(options), "boot_failed");
      assert.equal(error.toJSON().name, name);
    }
    for (const options of [
      { entry: "nodot", dir, convention: "lambda" },
      { entry: "index.handler", dir },
      { entry: "index.handler", dir, convention: "lambda", lambda: { runtime: "nodejs12.x" } },
    ]) {
      await failure(start(options as Options), "invalid_argument");
    }
  });

  test("keeps to the files of its generation until it reloads", async (t) => {
    const root = temporaryFolder(t);
    const code = (version: string): string =>
      `exports.handler = async () => "${version}"; exports.end = async () => process.exit(1);`;
    const point = (version: string): void => {
      mkdirSync(join(root, version));
      writeFileSync(join(root, version, "index.js"), code(version));
      symlinkSync(version, join(root, "next"));
      renameSync(join(root, "next"), join(root, "current"));
    };
    point("one");
    const dir = join(root, "current");
    const host = await startHost(t, { entry: "index.handler", dir, convention: "lambda" });
    point("two");
    await failure(host.call("end"), "worker_crashed");
    assert.equal(await host.call(""), "one");
    await host.reload();
    assert.equal(await host.call(""), "two");
  });

  test("reloads when its files change, if it is to watch them", async (t) => {
    const dir = temporaryFolder(t);
    mkdirSync(join(dir, "src"));
    const write = (version: number): void =>
      writeFileSync(join(dir, "src", "app.js"), `exports.handler = async () => ${version};`);
    write(1);
    const options = { entry: "src/app.handler", dir, convention: "lambda", watch: true } as const;
    const host = await startHost(t, options);
    assert.equal(await host.call(""), 1);
    write(2);
    await until(() => host.stats().reloads.succeeded === 1, "the host has reloaded");
    assert.equal(await host.call(""), 2);
  });
});
