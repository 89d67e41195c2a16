import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Encoding, encodeFrame, Kind } from "../../protocol/frame.ts";
import { encodeCall } from "../../protocol/message.ts";
import { temporaryFolder } from "../support/host.ts";
import { Peer } from "../support/peer.ts";

test("calls that come while a function turns the event loop itself run, and none is lost or mixed up", async (t) => {
  const peer = await Peer.start(t, "calls/nested.js");
  const file = join(temporaryFolder(t), "go on");
  const first = Array.from({ length: 9 }, (_, i) => call(i + 2, "echo", `first ${i}`));
  peer.sendBytes(Buffer.concat([call(1, "waitFor", file, "outer"), ...first]));
  const texts = Array.from({ length: 40 }, (_, i) => `second ${i} ${"x".repeat(200)}`);
  peer.sendBytes(Buffer.concat(texts.map((text, i) => call(i + 11, "echo", text))));
  const large = { kind: Kind.Call, id: 51, meta: encodeCall({ method: "size" }) };
  peer.send({ ...large, encoding: Encoding.Raw, payload: Buffer.alloc(3_000_000) });

  peer.sendBytes(call(52, "trace", "", "inner"));

  assert.equal((await peer.answer(51)).value, 3_000_000);
  assert.equal((await peer.answer(52)).value, "inner");
  assert.equal(peer.answered(1), false);
  writeFileSync(file, "");
  peer.send({ kind: Kind.Ping }); // turns the loop once more
  assert.equal((await peer.answer(1)).value, "outer");
  for (let i = 0; i < 9; i++) assert.equal((await peer.answer(i + 2)).value, `first ${i}`);
  for (const [i, text] of texts.entries()) {
    assert.equal((await peer.answer(i + 11)).value, text);
  }
});

function call(id: number, method: string, argument: string, traceId = "none"): Uint8Array {
  const payload = Buffer.from(JSON.stringify(argument));
  return encodeFrame({ kind: Kind.Call, id, meta: encodeCall({ method, traceId }), payload });
}
