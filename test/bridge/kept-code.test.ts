import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { Peer } from "../support/peer.ts";
import { temporaryFolder, testNodeMajor } from "../support/worker-process.ts";

const keeping = { skip: testNodeMajor < 22 && "this Node keeps no compiled code" };
const ECHO = "export const echo = (value) => value;";

for (const [what, source] of Object.entries({
  "minds new listeners": `
    const { emit } = process;
    process.emit = function (event, ...rest) {
      if (event === "newListener") throw new Error("no");
      return Reflect.apply(emit, this, [event, ...rest]);
    };`,
  "wraps fs and reports its calls": `
    import fs from "node:fs";
    for (const [name, original] of Object.entries(fs)) {
      if (typeof original === "function" && name.endsWith("Sync")) {
        fs[name] = (...args) => { console.log(name); return original(...args); };
      }
    }`,
  "deletes Buffer": "delete globalThis.Buffer;",
  "replaces what lists and bytes can do": `
    const no = () => { throw new Error("no"); };
    Array.prototype.push = Uint8Array.prototype.subarray = Uint8Array.prototype.set = no;`,
  "stops the clocks": "globalThis.setTimeout = process.hrtime = Date.now = () => 0;",
})) {
  test(
    `a worker whose code ${what} answers its first call, and keeps what it has compiled`,
    keeping,
    async (t) => {
      const folder = temporaryFolder(t);
      const peer = await Peer.start(t, {
        source: `${source}\n${ECHO}`,
        env: { NODE_COMPILE_CACHE: folder },
      });
      assert.equal(await peer.call("echo", 7), 7);
      await peer.goaway();
      assert.deepEqual(peer.logs, []);
      const kept = readdirSync(folder, { recursive: true, encoding: "utf8" });
      assert.equal(kept.filter((path) => /[/\\]worker-[0-9a-f]{16}$/.test(path)).length, 1);
      assert.deepEqual(
        kept.filter((path) => path.endsWith(".tmp")),
        [],
      );
    },
  );
}

test(
  "the stack of an error holds no frame of a worker that runs from kept code",
  keeping,
  async (t) => {
    const options = {
      source: 'export const fail = () => { throw new Error("no"); };',
      env: { NODE_COMPILE_CACHE: temporaryFolder(t) },
    };
    for (const kept of [false, true]) {
      const peer = await Peer.start(t, options);
      const { stack = "" } = await peer.fail("fail");
      assert.match(stack, /rootbridge-source\.mjs/);
      assert.doesNotMatch(stack, /worker\.cjs|async_hooks/, `kept ${kept}`);
      await peer.goaway();
    }
  },
);
