import assert from "node:assert/strict";
import { suite, type TestContext, test } from "node:test";
import { Encoding, Kind } from "../../protocol/frame.ts";
import { decodeReply, type HelloOptions } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const FILE = "calls/lambda.js";

function startLambda(t: TestContext, options: HelloOptions = {}, maxPayload = 33_554_432) {
  const hello = { maxPayload, options: { convention: "lambda", ...options } } as const;
  return Peer.start(t, { file: FILE, hello });
}

suite("a worker that invokes Lambda handlers", { concurrency: 2 }, () => {
  test("answers pings and other invocations while one waits for an empty event loop", async (t) => {
    const peer = await startLambda(t);
    const waiting = peer.sendCall("answersWhileHeld");
    assert.equal(await peer.call("handler", 1), 1);
    assert.equal(await peer.exitOrTurn(), undefined);
    await peer.call("release");
    assert.equal((await peer.answer(waiting)).value, "empty at last");
    await peer.goaway();
  });

  test("finds its event loop empty only when it is so of all invocations", async (t) => {
    const peer = await startLambda(t);
    const held = peer.sendCall("hold");
    const never = peer.sendCall("never");
    const waiting = peer.sendCall("later", 5);
    assert.equal(await peer.call("handler", 1), 1);
    assert.equal(await peer.exitOrTurn(), undefined);
    assert.equal(peer.answered(waiting) || peer.answered(never), false);
    await peer.call("release");
    assert.equal((await peer.answer(held)).value, "released");
    assert.equal((await peer.answer(waiting)).value, 0);
    assert.equal((await peer.answer(never)).value, null);
    await peer.goaway();
  });

  test("ends in order while an invocation waits", async (t) => {
    const peer = await startLambda(t);
    const waiting = peer.sendCall("later", 20);
    peer.send({ kind: Kind.Goaway });
    assert.equal((await peer.answer(waiting)).value, 0);
    assert.deepEqual(await peer.exited, { code: 0, signal: null });
  });

  test("ends at the end of its input, whatever waits", async (t) => {
    const peer = await startLambda(t);
    peer.sendCall("answersWhileHeld");
    assert.equal(await peer.exitOrTurn(), undefined);
    peer.closeInput();
    assert.deepEqual(await peer.exited, { code: 0, signal: null });
  });

  test("stays when there is nothing to do", async (t) => {
    const peer = await startLambda(t);
    assert.equal(await peer.call("removes"), "removed");
    assert.equal(await peer.call("never"), null);
    for (let n = 0; n < 20; n++) assert.equal(await peer.exitOrTurn(), undefined);
    assert.equal(await peer.call("handler", 2), 2);
    await peer.goaway();
  });

  test("notes what ends an invocation again", async (t) => {
    const peer = await startLambda(t);
    assert.equal(await peer.call("twice"), "first");
    const { level, method } = await peer.log("ended again");
    assert.deepEqual([level, method], ["warn", "twice"]);
    await peer.goaway();
  });

  test("has no complaint about an async handler that calls back", async (t) => {
    const peer = await startLambda(t);
    assert.equal(await peer.call("both"), "called back");
    assert.equal(await peer.call("twice"), "first");
    await peer.log("ended again");
    assert.deepEqual(
      peer.logs.map(({ method }) => method),
      ["twice"],
    );
    await peer.goaway();
  });

  test("hands what a call carries to one invocation only", async (t) => {
    const peer = await startLambda(t);
    const lambda = { clientContext: {}, identity: {} };
    for (let n = 0; n < 3; n++) {
      assert.deepEqual(await peer.call("carried", {}, { lambda }), [false, false]);
    }
    await peer.goaway();
  });

  test("says that the code has ended the process", async (t) => {
    const peer = await startLambda(t);
    peer.sendCall("exits");
    const { code, name, message } = await peer.fatal();
    assert.deepEqual([code, name], ["worker_crashed", "Runtime.ExitError"]);
    assert.match(message, /process\.exit\(3\)/);
    assert.equal((await peer.exited).code, 3);
  });

  test("answers a stream up to the host's limit", async (t) => {
    const peer = await startLambda(t, {}, 4_096);
    const { frame } = await peer.ask("streams", { size: 4_096 });
    assert.deepEqual([frame.encoding, frame.payload.length], [Encoding.Raw, 4_096]);
    const error = await peer.fail("streams", { size: 8_192 });
    assert.deepEqual([error.code, error.name], ["too_large", "Function.ResponseSizeTooLarge"]);
    assert.equal(await peer.call("handler", 1), 1);
    await peer.goaway();
  });

  test("says the type that a stream was given, up to what a reply's meta has room for", async (t) => {
    const peer = await startLambda(t, {}, 4_096);
    const metaOf = async (type: unknown, size = 1_024) =>
      decodeReply((await peer.ask("streams", { size, type })).frame.meta);
    assert.deepEqual(await metaOf("text/html"), { contentType: "text/html" });
    assert.deepEqual(await metaOf(undefined), {});
    assert.deepEqual(await metaOf(7), {});
    assert.deepEqual(await metaOf("a".repeat(20_000)), {});
    const error = await peer.fail("streams", { size: 8_192, type: "a/b" });
    assert.equal(error.name, "Function.ResponseSizeTooLarge");
    await peer.goaway();
  });

  test("loads a file that is not the main module, as on Lambda", async (t) => {
    const peer = await startLambda(t);
    assert.equal(await peer.call("main"), false);
    assert.equal(await peer.call("global"), "object");
    await peer.goaway();
    const other = await Peer.start(t, FILE);
    assert.equal(await other.call("main", undefined, { convention: "lambda" }), true);
    assert.equal(await other.call("global", undefined, { convention: "lambda" }), "undefined");
    await other.goaway();
  });

  test("has no global awslambda where that is not wanted", async (t) => {
    const env = { AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA: "1" };
    const hello = { options: { convention: "lambda" } } as const;
    const peer = await Peer.start(t, { file: FILE, env, hello });
    assert.equal(await peer.call("global"), "undefined");
    await peer.goaway();
  });

  test("refuses a handler string whose module the host could not find, with Lambda's type", async (t) => {
    for (const [handler, type] of [
      ["no-such-module.handler", "Runtime.ImportModuleError"],
      ["../calls/lambda.handler", "Runtime.MalformedHandlerName"],
      ["lambda", "Runtime.MalformedHandlerName"],
    ] as const) {
      const options = { convention: "lambda", handler } as const;
      const { name, code } = await Peer.failure(t, { hello: { options } });
      assert.deepEqual([code, name], ["boot_failed", type]);
    }
  });

  test("loads the file that the host has found for a handler string", async (t) => {
    const peer = await startLambda(t, { handler: "elsewhere.handler" });
    assert.equal(await peer.call("", 7), 7);
    await peer.goaway();
  });
});
