import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoding, encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";

const SIZE = 3_000_000;
/** So much of a large call comes with what is before it. */
const BEGUN = 20_000;
const large = encodeFrame({
  kind: Kind.Call,
  id: 2,
  encoding: Encoding.Raw,
  meta: encodeCall({ method: "keep" }),
  payload: Buffer.alloc(SIZE, 7),
});

test("a large argument is whole although a tick has thrown after it had begun", async (t) => {
  const peer = await Peer.start(t, "calls/large.js");
  peer.sendBytes(Buffer.concat([call(1, "failLater"), large.subarray(0, BEGUN)]));
  await peer.until(
    () => peer.logs.some(({ text }) => text.startsWith("handled:")),
    "it has thrown",
  );
  peer.sendBytes(large.subarray(BEGUN));
  assert.equal((await peer.answer(2)).value, SIZE);
  await expectWhole(peer, 3);
});

test("a large argument is whole although a microtask has turned the event loop after it had begun", async (t) => {
  const peer = await Peer.start(t, "calls/large.js");
  peer.sendBytes(Buffer.concat([call(1, "turnLater"), large.subarray(0, BEGUN)]));
  peer.sendBytes(large.subarray(BEGUN));
  await peer.answer(1);
  assert.equal((await peer.answer(2)).value, SIZE);
  for (let id = 3; id < 10; id++) await expectWhole(peer, id);
});

/** Asks for the argument, in frames that are read after it. */
async function expectWhole(peer: Peer, id: number): Promise<void> {
  peer.sendBytes(call(id, "look"));
  assert.equal((await peer.answer(id)).value, 7);
}

function call(id: number, method: string): Uint8Array {
  return encodeFrame({ kind: Kind.Call, id, meta: encodeCall({ method }) });
}
