import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../support/peer.ts";

test("a call gets its result", async (t) => {
  const peer = await Peer.start(t, "calls/basic.js");
  assert.equal(await peer.call("add", [1, 2]), 3);
  await peer.goaway();
});
