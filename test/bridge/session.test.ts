import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoding, encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall, encodeCancel, encodeHello, type Hello } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const HELLO: Hello = { protocol: 1, maxPayload: 33_554_432, encodings: ["json", "raw"] };

test("a call gets its result", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  assert.equal(await peer.call("add", [1, 2]), 3);
  await peer.goaway();
});

test("many calls in flight get their own answers, in any order", async (t) => {
  const peer = await Peer.start(t, "calls/slow.js");
  const waiting = [1, 2, 3].map((value) => peer.sendCall("wait", value));
  assert.equal(await peer.call("echo", "between"), "between");
  await peer.call("release");
  const answers = await Promise.all(waiting.map((id) => peer.answer(id)));
  assert.deepEqual(
    answers.map(({ value }) => value),
    [1, 2, 3],
  );
  await peer.goaway();
});

test("a thousand calls written at once are all answered", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  const ids = Array.from({ length: 1_000 }, (_, i) =>
    peer.sendCall(i % 2 ? "echo" : "echoLater", i),
  );
  const answers = await Promise.all(ids.map((id) => peer.answer(id)));
  assert.deepEqual(
    answers.map(({ value }) => value),
    ids.map((_, i) => i),
  );
  await peer.goaway();
});

test("frames that arrive byte by byte are understood", async (t) => {
  const peer = Peer.launch(t, "calls/basic.js");
  const call = encodeFrame({
    kind: Kind.Call,
    id: 1,
    meta: encodeCall({ method: "echo" }),
    payload: Buffer.from("[1]"),
  });
  for (const byte of encodeFrame({ kind: Kind.Hello, payload: encodeHello(HELLO) }))
    peer.sendBytes(Buffer.of(byte));
  await peer.next(({ kind }) => kind === Kind.Ready);
  for (const byte of call) {
    peer.sendBytes(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual((await peer.answer(1)).value, [1]);
  await peer.goaway();
});

test("bytes cross as they are, both ways", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
  for (const size of [0, 1, 15_999, 70_000]) {
    const { frame, value } = await peer.ask("echo", bytes.subarray(0, size), {}, Encoding.Raw);
    assert.equal(frame.encoding, Encoding.Raw);
    assert.deepEqual(value, bytes.subarray(0, size));
  }
  await peer.goaway();
});

test("a large argument has memory of its own, aligned for any typed array, that no later call changes", async (t) => {
  const source = `const kept = [];
    export const keep = (bytes) => {
      kept.push(bytes);
      return [bytes.byteOffset, bytes.buffer.byteLength - bytes.length];
    };
    export const sums = () => kept.map((bytes) => bytes.reduce((sum, byte) => sum + byte, 0));`;
  const peer = await Peer.start(t, { source });
  const size = 1_048_576;
  for (const byte of [1, 2, 3]) {
    const traceId = "t".repeat(byte); // metas of several lengths
    const argument = Buffer.alloc(size, byte);
    assert.deepEqual(await peer.call("keep", argument, { traceId }, Encoding.Raw), [0, 0]);
  }
  assert.deepEqual(await peer.call("sums"), [size, 2 * size, 3 * size]);
  await peer.goaway();
});

test("bytes of a class that lies about itself cross as they are", async (t) => {
  const source = `class Lying extends Uint8Array {
      get length() { return 1; } get byteLength() { return 2; } get byteOffset() { return 1; }
      get buffer() { return new ArrayBuffer(3); } subarray() { return this; }
    }
    export const lie = (size) => new Lying(size).fill(7);`;
  const peer = await Peer.start(t, { source });
  for (const size of [1, 100, 16_384, 32_769, 200_000])
    assert.deepEqual(await peer.call("lie", size), Buffer.alloc(size, 7));
  await peer.goaway();
});

test("bytes cross as they are although Buffers lie and every object has another value", async (t) => {
  const source = `export const spoil = () => {
      const { get } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length');
      const length = function () { return get.call(this) < 16384 ? get.call(this) : 1000; };
      Object.defineProperty(Buffer.prototype, 'length', { get: length, configurable: true });
      Object.prototype.valueOf = () => 'x';
    };
    export const echo = (bytes) => bytes;`;
  const peer = await Peer.start(t, { source });
  await peer.call("spoil");
  const all = [1, 100, 20_000, 300_000, 2_000_000, 300_000].map((size) => Buffer.alloc(size, size));
  const traceId = "a trace id, for a meta that is not read yet";
  const ids = all.map((bytes) => peer.sendCall("echo", bytes, { traceId }, Encoding.Raw));
  const answers = await Promise.all(ids.map((id) => peer.answer(id)));
  assert.deepEqual(
    answers.map(({ value, error }) => value ?? error),
    all,
  );
  await peer.goaway();
});

test("bytes that were given away can't be a result", async (t) => {
  const source = `export const gone = async () => {
      const bytes = new Uint8Array(8);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      return bytes;
    };`;
  const peer = await Peer.start(t, { source });
  assert.equal((await peer.fail("gone")).code, "unencodable_result");
  await peer.goaway();
});

test("a result comes in the encoding asked for, else in the call's, else in the session's codec", async (t) => {
  const file = "calls/basic.js";
  const peer = await Peer.start(t, { file, hello: { options: { codec: "msgpack" } } });
  const encodingFor = async (encoding: Encoding, accept?: "json" | "msgpack") =>
    (await peer.ask("count", Buffer.from("1"), accept ? { accept } : {}, encoding)).frame.encoding;
  assert.equal(await encodingFor(Encoding.Raw), Encoding.Msgpack);
  assert.equal(await encodingFor(Encoding.Raw, "json"), Encoding.Json);
  assert.equal(await encodingFor(Encoding.Msgpack), Encoding.Msgpack);
  assert.equal(await encodingFor(Encoding.Msgpack, "json"), Encoding.Json);
  assert.equal(await encodingFor(Encoding.Json), Encoding.Json);
  assert.equal(await encodingFor(Encoding.Json, "msgpack"), Encoding.Msgpack);
  const plain = await Peer.start(t, file);
  assert.equal(
    (await plain.ask("count", Buffer.from("1"), {}, Encoding.Raw)).frame.encoding,
    Encoding.Json,
  );
});

test("a ping is answered with its payload while calls run", async (t) => {
  const peer = await Peer.start(t, "calls/slow.js");
  peer.sendCall("never");
  peer.send({ kind: Kind.Ping, payload: Buffer.from("are you there") });
  const pong = await peer.next(({ kind }) => kind === Kind.Pong);
  assert.equal(Buffer.from(pong.payload).toString(), "are you there");
});

test("unknown and reserved kinds, and frames in the wrong direction, are skipped", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  for (const kind of [
    0,
    Kind.Ready,
    Kind.Reply,
    Kind.Error,
    Kind.Chunk,
    Kind.Credit,
    Kind.Log,
    Kind.Pong,
    Kind.Stats,
    200,
  ]) {
    peer.send({ kind, id: 7, meta: Buffer.from("{}"), payload: Buffer.from("anything") });
  }
  assert.equal(await peer.call("add", [1, 2]), 3);
  await peer.goaway();
});

test("a cancel aborts the call's signal, and the call still gets its one answer", async (t) => {
  const peer = await Peer.start(t, "calls/signals.js");
  for (const [reason, name] of [
    ["deadline_exceeded", "TimeoutError"],
    ["canceled", "AbortError"],
  ] as const) {
    const id = peer.sendCall("waitForAbort");
    peer.send({ kind: Kind.Cancel, id, meta: encodeCancel({ reason }) });
    peer.send({ kind: Kind.Cancel, id, meta: encodeCancel({ reason }) });
    const { value } = await peer.answer(id);
    assert.equal((value as string[])[0], name);
  }
  await peer.goaway();
});

test("a signal that is first asked for after the cancel is aborted already", async (t) => {
  const peer = await Peer.start(t, "calls/signals.js");
  const id = peer.sendCall("lateLook");
  peer.send({ kind: Kind.Cancel, id, meta: encodeCancel({ reason: "canceled" }) });
  await peer.call("release");
  assert.deepEqual((await peer.answer(id)).value, [true, "AbortError"]);
  await peer.goaway();
});

test("a cancel for a call that is not in flight, or with odd meta, is ignored or means canceled", async (t) => {
  const peer = await Peer.start(t, "calls/signals.js");
  peer.send({ kind: Kind.Cancel, id: 99, meta: Buffer.from("not json") });
  const id = peer.sendCall("waitForAbort");
  peer.send({ kind: Kind.Cancel, id, meta: Buffer.from("not json") });
  assert.equal(((await peer.answer(id)).value as string[])[0], "AbortError");
  await peer.goaway();
});

test("a result over the host's limit is too_large, one at the limit is not", async (t) => {
  const peer = await Peer.start(t, { file: "stdio/large.js", hello: { maxPayload: 20_000 } });
  assert.equal(((await peer.call("answer", 19_998)) as string).length, 19_998);
  const error = await peer.fail("answer", 19_999);
  assert.equal(error.code, "too_large");
  assert.match(error.message, /20000 bytes.*MaxPayload/);
  for (const encoding of [Encoding.Json, Encoding.Msgpack]) {
    assert.equal((await peer.fail("answer", 20_000, {}, encoding)).code, "too_large");
  }
  assert.equal(((await peer.call("answer", 5)) as string).length, 5);
  await peer.goaway();
});

test("bytes over the host's limit are too_large", async (t) => {
  const source = "export const bytes = (size) => Buffer.alloc(size);";
  const peer = await Peer.start(t, { source, hello: { maxPayload: 1_024 } });
  assert.equal(((await peer.call("bytes", 1_024)) as Buffer).length, 1_024);
  assert.equal((await peer.fail("bytes", 1_025)).code, "too_large");
});

test("after goaway the calls in flight are answered, later ones refused, and the worker exits with 0", async (t) => {
  const source = `let go; export const wait = (value) => new Promise((resolve) => { go = () => resolve(value) });
    export const releaseSoon = () => { setTimeout(go, 300) };`;
  const peer = await Peer.start(t, { source });
  const waiting = peer.sendCall("wait", "patience");
  await peer.call("releaseSoon");
  peer.send({ kind: Kind.Goaway });
  assert.equal((await peer.fail("wait", 1)).code, "worker_unavailable");
  assert.equal((await peer.answer(waiting)).value, "patience");
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
});

test("goaway during loading ends the worker with 0", async (t) => {
  const peer = Peer.spawn(t, {
    source: "setInterval(() => {}, 1000); await new Promise(() => {});",
  });
  await peer.next(({ kind }) => kind === Kind.Hello);
  peer.send({ kind: Kind.Goaway });
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
});

test("the end of stdin ends the worker with 0 at once, whatever is running", async (t) => {
  const peer = await Peer.start(t, "calls/slow.js");
  peer.sendCall("never");
  await peer.call("echo");
  peer.closeInput();
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
});

test("a host that stopped reading and is gone ends the worker", async (t) => {
  const source =
    "export const chatter = () => { setInterval(() => console.log('x'.repeat(1000)), 1) };";
  const peer = await Peer.start(t, { source });
  await peer.call("chatter");
  peer.closeOutput();
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
});

test("log lines are dropped and counted while the host does not read, answers are not", async (t) => {
  const source = `import fs from "node:fs";
    export const chatter = (lines) => {
      for (let i = 0; i < lines; i++) console.log(i + ' '.repeat(1000));
      fs.writeSync(2, "all printed");
      return 'done';
    };
    export const echo = (value) => value;`;
  const peer = await Peer.start(t, { source });
  peer.setReading(false);
  const large = "x".repeat(2_000_000);
  const ids = [
    peer.sendCall("chatter", 20_000),
    peer.sendCall("echo", large),
    peer.sendCall("echo", 2),
  ];
  await peer.until(() => peer.stderr === "all printed", "the worker has printed");
  peer.setReading(true);
  const values = (await Promise.all(ids.map((id) => peer.answer(id)))).map(({ value }) => value);
  assert.deepEqual(values, ["done", large, 2]);
  await peer.goaway();
  const note = peer.logs.find(({ text }) => text.includes("were dropped"));
  const dropped = Number(/^(\d+) log lines were dropped/.exec(note?.text ?? "")?.[1] ?? 0);
  assert.ok(dropped > 0);
  assert.equal(peer.logs.length - 1 + dropped, 20_000);
});

for (const reading of [true, false]) {
  const host = reading ? "reads" : "does not read";
  test(`a result is what its function returned, although it uses the memory again, when the host ${host}`, async (t) => {
    const source = `import fs from "node:fs";
      const words = new Uint32Array(750_000);
      export const next = (value) => {
        for (let i = 0; i < words.length; i++) words[i] = i * value; // no part is like another
        return Buffer.from(words.buffer);
      };
      export const told = () => { fs.writeSync(2, "all called"); };`;
    const peer = await Peer.start(t, { source });
    peer.setReading(reading);
    const ids = [1, 2, 3, 4].map((value) => peer.sendCall("next", value));
    peer.sendCall("told");
    await peer.until(() => peer.stderr === "all called", "the functions have returned");
    peer.setReading(true);
    for (const [index, id] of ids.entries()) {
      const value = Buffer.from((await peer.answer(id)).value as Uint8Array);
      const expected = Uint32Array.from({ length: 750_000 }, (_, i) => i * (index + 1));
      assert.equal(value.equals(Buffer.from(expected.buffer)), true, `result ${index + 1}`);
    }
    await peer.goaway();
  });
}

test("a finished answer does not wait for the slow calls that came with it", async (t) => {
  const peer = await Peer.start(t, "calls/slow.js");
  peer.sendBytes(Buffer.concat([block(101, 5), block(102, 5), block(103, 1e9)]));
  await peer.answer(101);
});

test("nor does a quick one, once calls have been slow", async (t) => {
  const peer = await Peer.start(t, "calls/slow.js");
  peer.sendBytes(block(101, 5));
  await peer.answer(101);
  peer.sendBytes(Buffer.concat([block(102, 0), block(103, 1e9)]));
  await peer.answer(102);
});

function block(id: number, milliseconds: number): Uint8Array {
  const meta = encodeCall({ method: "block" });
  const payload = Buffer.from(JSON.stringify(milliseconds));
  return encodeFrame({ kind: Kind.Call, id, meta, payload });
}
