import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoding, encodeFrame, Kind } from "../../protocol/frame.ts";
import { decodeHello, encodeCall, encodeHello, type Hello } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const HELLO: Hello = { protocol: 1, maxPayload: 33_554_432, encodings: ["json", "raw"] };

test("the worker's hello says what it is, and offers msgpack only to hosts that do", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  const hello = decodeHello((await peer.next(({ kind }) => kind === Kind.Hello)).payload);
  assert.equal(hello.protocol, 1);
  assert.equal(hello.runtime, "node");
  assert.match(hello.runtimeVersion ?? "", /^v\d+\.\d+\.\d+/);
  assert.equal(hello.pid, peer.child.pid);
  assert.deepEqual(hello.encodings, ["json", "msgpack", "raw"]);
  const plain = await Peer.start(t, {
    file: "calls/basic.js",
    hello: { encodings: ["json", "raw"] },
  });
  const offer = decodeHello((await plain.next(({ kind }) => kind === Kind.Hello)).payload);
  assert.deepEqual(offer.encodings, ["json", "raw"]);
});

test("the worker accepts what the host accepts, and 32 MiB at least", async (t) => {
  for (const [offered, accepted] of [
    [1_024, 33_554_432],
    [50_000_000, 50_000_000],
  ] as const) {
    const peer = await Peer.start(t, { file: "calls/basic.js", hello: { maxPayload: offered } });
    const hello = decodeHello((await peer.next(({ kind }) => kind === Kind.Hello)).payload);
    assert.equal(hello.maxPayload, accepted);
    await peer.kill();
  }
});

const WRONG_CALLS: Record<string, [string, Parameters<Peer["send"]>[0]]> = {
  "meta that is no JSON": ["protocol_error", { kind: Kind.Call, id: 5, meta: Buffer.from("{") }],
  "meta that is a list": ["protocol_error", { kind: Kind.Call, id: 5, meta: Buffer.from("[]") }],
  "no meta": ["protocol_error", { kind: Kind.Call, id: 5 }],
  "a method that is no string": [
    "protocol_error",
    { kind: Kind.Call, id: 5, meta: Buffer.from('{"method":1}') },
  ],
  "a timeout of 0": [
    "protocol_error",
    { kind: Kind.Call, id: 5, meta: Buffer.from('{"method":"echo","timeout":0}') },
  ],
  "an unknown convention": [
    "protocol_error",
    { kind: Kind.Call, id: 5, meta: Buffer.from('{"method":"echo","convention":"x"}') },
  ],
  "an unknown accept": [
    "protocol_error",
    { kind: Kind.Call, id: 5, meta: Buffer.from('{"method":"echo","accept":"xml"}') },
  ],
  "the reserved encoding": [
    "protocol_error",
    { kind: Kind.Call, id: 5, encoding: 3, meta: encodeCall({ method: "echo" }) },
  ],
  "an argument that is no JSON": [
    "invalid_argument",
    { kind: Kind.Call, id: 5, meta: encodeCall({ method: "echo" }), payload: Buffer.from("{nope") },
  ],
  "an argument that is no UTF-8": [
    "invalid_argument",
    {
      kind: Kind.Call,
      id: 5,
      meta: encodeCall({ method: "echo" }),
      payload: Buffer.from([0x22, 0xff, 0x22]),
    },
  ],
  "an argument that is no msgpack": [
    "invalid_argument",
    {
      kind: Kind.Call,
      id: 5,
      encoding: 1,
      meta: encodeCall({ method: "echo" }),
      payload: Buffer.from([0x92, 1]),
    },
  ],
  "an empty method": [
    "method_not_found",
    { kind: Kind.Call, id: 5, meta: encodeCall({ method: "" }) },
  ],
};

for (const [what, [code, frame]] of Object.entries(WRONG_CALLS)) {
  test(`${what} fails its own call with ${code} and no other`, async (t) => {
    const peer = await Peer.start(t, "calls/basic.js");
    peer.send(frame);
    assert.equal((await peer.answer(5)).error?.code, code);
    assert.equal(await peer.call("add", [1, 2]), 3);
    await peer.goaway();
  });
}

test("msgpack that was not agreed fails its call with protocol_error", async (t) => {
  const peer = await Peer.start(t, {
    file: "calls/basic.js",
    hello: { encodings: ["json", "raw"] },
  });
  assert.equal((await peer.fail("echo", 1, {}, Encoding.Msgpack)).code, "protocol_error");
  assert.equal((await peer.fail("echo", 1, { accept: "msgpack" })).code, "protocol_error");
  assert.equal(await peer.call("echo", 1), 1);
});

const call = (id: number) =>
  encodeFrame({ kind: Kind.Call, id, meta: encodeCall({ method: "never" }) });
const BROKEN: Record<string, Uint8Array> = {
  "text in place of a frame": Buffer.from("hello world, this is no frame"),
  "another version": Buffer.from("ff524202030000000000000000000000", "hex"),
  "meta over the limit": Buffer.from("ff524201030040010000000100000000", "hex"),
  "a payload over the limit": Buffer.from("ff524201030000000000000102000001", "hex"),
  "an id in flight": Buffer.concat([call(3), call(3)]),
  "call id 0": call(0),
  "a reserved id": call(2_147_483_648),
  "a second hello": encodeFrame({ kind: Kind.Hello, payload: encodeHello(HELLO) }),
};

for (const [what, bytes] of Object.entries(BROKEN)) {
  test(`${what} ends the connection with protocol_error and exit code 70`, async (t) => {
    const peer = await Peer.start(t, "calls/slow.js");
    peer.sendCall("never");
    peer.sendBytes(bytes);
    const error = await peer.fatal();
    assert.equal(error.code, "protocol_error");
    assert.ok(error.message.length > 20, error.message);
    assert.deepEqual(await peer.exited, { code: 70, signal: null });
  });
}

test("an unknown version is reported with both versions", async (t) => {
  const peer = Peer.launch(t, "calls/basic.js");
  peer.sendBytes(Buffer.from("ff524209010000000000000000000002", "hex"));
  assert.match((await peer.fatal()).message, /version 1.*version 9/);
  assert.deepEqual(await peer.exited, { code: 70, signal: null });
});

const WRONG_HELLOS: Record<string, unknown> = {
  "no protocol": { max_payload: 1_024, encodings: ["json", "raw"] },
  "a small max_payload": { protocol: 1, max_payload: 1_023, encodings: ["json", "raw"] },
  "a large max_payload": { protocol: 1, max_payload: 1_073_741_825, encodings: ["json", "raw"] },
  "no raw": { protocol: 1, max_payload: 1_024, encodings: ["json"] },
  "an unknown codec": {
    protocol: 1,
    max_payload: 1_024,
    encodings: ["json", "raw"],
    options: { codec: "x" },
  },
  "a codec that is not offered": {
    protocol: 1,
    max_payload: 1_024,
    encodings: ["json", "raw"],
    options: { codec: "msgpack" },
  },
  "a list": [],
};

for (const [what, hello] of Object.entries(WRONG_HELLOS)) {
  test(`a hello with ${what} is a protocol_error`, async (t) => {
    const peer = Peer.launch(t, "calls/basic.js");
    peer.send({ kind: Kind.Hello, payload: Buffer.from(JSON.stringify(hello)) });
    assert.match((await peer.fatal()).message, /hello: expected/);
    assert.deepEqual(await peer.exited, { code: 70, signal: null });
  });
}

test("a first frame that is no hello is a protocol_error", async (t) => {
  const peer = Peer.launch(t, "calls/basic.js");
  peer.send({ kind: Kind.Ping });
  assert.match((await peer.fatal()).message, /expected a hello first/);
  assert.deepEqual(await peer.exited, { code: 70, signal: null });
});

test("a hello of a later protocol and with unknown keys is welcome", async (t) => {
  const peer = Peer.launch(t, "calls/basic.js");
  const hello = {
    protocol: 7,
    max_payload: 5_000,
    encodings: ["json", "raw", "cbor"],
    news: true,
    options: { x: 1 },
  };
  peer.send({ kind: Kind.Hello, payload: Buffer.from(JSON.stringify(hello)) });
  await peer.next(({ kind }) => kind === Kind.Ready);
  assert.equal(
    decodeHello((await peer.next(({ kind }) => kind === Kind.Hello)).payload).protocol,
    1,
  );
});

test("an input that ends inside a frame is a protocol_error", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  peer.sendBytes(call(1).subarray(0, 20));
  peer.closeInput();
  assert.match((await peer.fatal()).message, /ended inside a frame/);
  assert.deepEqual(await peer.exited, { code: 70, signal: null });
});

test("a call before ready is a protocol_error", async (t) => {
  const source =
    "await new Promise((resolve) => setTimeout(resolve, 300)); export const f = () => 1;";
  const peer = Peer.spawn(t, { source });
  await peer.next(({ kind }) => kind === Kind.Hello);
  assert.equal((await peer.fail("f")).code, "protocol_error");
  await peer.next(({ kind }) => kind === Kind.Ready);
  assert.equal(await peer.call("f"), 1);
});

test("a worker without a file or source says so", async (t) => {
  const error = await Peer.failure(t, {});
  assert.equal(error.code, "boot_failed");
  assert.match(error.message, /FILE argument, or options.source/);
});
