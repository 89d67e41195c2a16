import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Encoding, encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall } from "../../protocol/message.ts";
import { temporaryFolder } from "../support/host.ts";
import { Peer } from "../support/peer.ts";

/** Frames before the function that turns the loop: a piece of input is read in several steps. */
for (const before of [0, 3, 4, 20]) {
  test(`calls that come while function ${before + 1} turns the event loop itself run, and none is lost or mixed up`, async (t) => {
    const peer = await Peer.start(t, "calls/nested.js");
    const file = join(temporaryFolder(t), "go on");
    const first = texts("first", before).map((text, i) => call(i + 1, "echo", text));
    const second = texts("second", 9).map((text, i) => call(i + 101, "echo", text));
    peer.sendBytes(Buffer.concat([...first, call(100, "waitFor", file, "outer"), ...second]));
    const third = texts("third", 40).map((text, i) => call(i + 201, "echo", text));
    peer.sendBytes(Buffer.concat(third));
    const large = { kind: Kind.Call, id: 251, meta: encodeCall({ method: "size" }) };
    peer.send({ ...large, encoding: Encoding.Raw, payload: Buffer.alloc(3_000_000) });
    peer.sendBytes(call(252, "trace", "", "inner"));

    assert.equal((await peer.answer(251)).value, 3_000_000);
    assert.equal((await peer.answer(252)).value, "inner");
    assert.equal(peer.answered(100), false);
    writeFileSync(file, "");
    peer.send({ kind: Kind.Ping }); // turns the loop once more
    assert.equal((await peer.answer(100)).value, "outer");
    await expectEchoes(peer, 1, texts("first", before));
    await expectEchoes(peer, 101, texts("second", 9));
    await expectEchoes(peer, 201, texts("third", 40));
  });

  test(`function ${before + 1} of a piece can wait for a promise by turning the event loop`, async (t) => {
    const peer = await Peer.start(t, "calls/nested.js");
    const echoes = texts("first", before).map((text, i) => call(i + 1, "echo", text));
    peer.sendBytes(Buffer.concat([...echoes, call(100, "settle", "settled")]));
    assert.equal((await peer.answer(100)).value, "settled");
    await expectEchoes(peer, 1, texts("first", before));
  });

  test(`the host's end while function ${before + 1} turns the event loop is an end in order`, async (t) => {
    const peer = await Peer.start(t, "calls/nested.js");
    const frames = texts("first", before + 30).map((text, i) => call(i + 1, "echo", text));
    frames.splice(before, 0, call(100, "waitFor", join(temporaryFolder(t), "never there")));
    peer.sendBytes(Buffer.concat(frames));
    peer.closeInput();
    assert.deepEqual(await peer.exited, { code: 0, signal: null }, `${peer}`);
  });
}

test("a large argument stays as it is while its function turns the event loop and more large ones come", async (t) => {
  const peer = await Peer.start(t, "calls/nested.js");
  const file = join(temporaryFolder(t), "go on");
  const argument = Buffer.alloc(3_000_000, 1);
  argument.write(`${file}\0`);
  const sent = (id: number, method: string, payload: Uint8Array) =>
    peer.send({
      kind: Kind.Call,
      id,
      encoding: Encoding.Raw,
      meta: encodeCall({ method }),
      payload,
    });
  sent(1, "keep", argument);
  for (let id = 2; id < 6; id++) sent(id, "size", Buffer.alloc(3_000_000 + id, id));
  for (let id = 2; id < 6; id++) assert.equal((await peer.answer(id)).value, 3_000_000 + id);
  writeFileSync(file, "");
  peer.send({ kind: Kind.Ping }); // turns the loop once more
  assert.equal((await peer.answer(1)).value, true);
});

function texts(what: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${what} ${i} ${"x".repeat(200)}`);
}

async function expectEchoes(peer: Peer, from: number, expected: string[]): Promise<void> {
  for (const [i, text] of expected.entries()) {
    assert.equal((await peer.answer(from + i)).value, text);
  }
}

function call(id: number, method: string, argument: string, traceId = "none"): Uint8Array {
  const payload = Buffer.from(JSON.stringify(argument));
  return encodeFrame({ kind: Kind.Call, id, meta: encodeCall({ method, traceId }), payload });
}
