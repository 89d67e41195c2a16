import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Kind } from "../../protocol/frame.ts";
import { encodeHello } from "../../protocol/message.ts";
import { Peer } from "../support/peer.ts";
import { fixture, temporaryFolder } from "../support/worker-process.ts";

const ASKED = { reason: "SIGUSR2", serving: true };
const posix = { skip: process.platform === "win32" && "there is no SIGUSR2" };
const linux = { skip: process.platform !== "linux" && "only here a process's signals can be seen" };

test("a worker listens before it has read anything", linux, async (t) => {
  const peer = Peer.launch(t, "calls/basic.js");
  await listening(peer.child.pid);
  peer.child.kill("SIGUSR2");
  sendHello(peer);
  await peer.asked(1);
  await peer.goaway();
});

/** Waits until a process catches SIGUSR2. */
async function listening(pid: number | undefined): Promise<void> {
  for (;;) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const caught = BigInt(`0x${/^SigCgt:\s*(\w+)$/m.exec(status)?.[1]}`);
    if ((caught >> 11n) & 1n) return;
    await setImmediate();
  }
}

test(
  "a signal that came before anything else is not lost: the worker asks once it is ready",
  linux,
  async (t) => {
    const nodeArgs = ["--require", fixture("process/hears.js")];
    const peer = Peer.launch(t, { file: "calls/basic.js", nodeArgs });
    await listening(peer.child.pid);
    peer.child.kill("SIGUSR2");
    await peer.until(() => peer.stderr.includes("heard"), "the signal comes");
    sendHello(peer);
    await peer.asked(1);
    assert.deepEqual(peer.goaways, [ASKED]);
    const kinds = peer.frames.map(({ kind }) => kind);
    assert.deepEqual(kinds, [Kind.Hello, Kind.Ready, Kind.Goaway]);
    await peer.goaway();
  },
);

function sendHello(peer: Peer): void {
  const payload = encodeHello({ protocol: 1, maxPayload: 1_024, encodings: ["json", "raw"] });
  peer.send({ kind: Kind.Hello, payload });
}

test("signals that come fast are one request now and one later", posix, async (t) => {
  const source = `export const flood = () => { for (let i = 0; i < 20; i++) process.emit('SIGUSR2'); };
    export const echo = (value) => value;`;
  const peer = await Peer.start(t, { source });
  await peer.call("flood");
  await peer.asked(2);
  assert.equal(await peer.call("echo", 1), 1);
  await peer.goaway();
  assert.deepEqual(peer.goaways, [ASKED, ASKED]);
});

const OWN_LISTENERS = {
  "cleans up and signals itself again":
    "process.once('SIGUSR2', () => process.kill(process.pid, 'SIGUSR2'));",
  "ends the process if nobody else listens":
    "process.on('SIGUSR2', () => { if (process.listenerCount('SIGUSR2') === 1) process.exit(9); });",
  "removes its listeners in it":
    "process.on('SIGUSR2', () => { process.removeAllListeners('SIGUSR2'); process.kill(process.pid, 'SIGUSR2'); });",
};

for (const [what, code] of Object.entries(OWN_LISTENERS)) {
  test(`a worker outlives a listener of the code that ${what}`, posix, async (t) => {
    const source = `${code} export const echo = (value) => value;`;
    const peer = await Peer.start(t, { source });
    for (let times = 1; times <= 2; times++) {
      peer.child.kill("SIGUSR2");
      await peer.asked(times);
      assert.equal(await peer.call("echo", times), times);
    }
    await peer.goaway();
  });
}

test(
  "removing all listeners twice, and listening again, leaves one request for a signal",
  posix,
  async (t) => {
    const source = `
    process.removeAllListeners();
    process.removeAllListeners();
    process.on('SIGUSR2', () => console.log('heard'));
    process.removeAllListeners('exit');
    process.removeAllListeners('SIGTERM');
    export const listeners = () => process.listenerCount('SIGUSR2');`;
    const peer = await Peer.start(t, { source });
    assert.equal(await peer.call("listeners"), 2);
    peer.child.kill("SIGUSR2");
    await peer.log("heard");
    await peer.asked(1);
    await peer.goaway();
    assert.deepEqual(peer.goaways, [ASKED]);
  },
);

test("Node's report on SIGUSR2 is written, and the worker asks too", posix, async (t) => {
  const folder = temporaryFolder(t);
  const options = `--report-on-signal --report-directory=${folder}`;
  const peer = await Peer.start(t, { file: "calls/basic.js", env: { NODE_OPTIONS: options } });
  peer.child.kill("SIGUSR2");
  await peer.asked(1);
  assert.deepEqual(peer.goaways, [ASKED]);
  const [report = ""] = readdirSync(folder); // Node's listener was first
  const { header } = JSON.parse(readFileSync(join(folder, report), "utf8"));
  assert.deepEqual([header.trigger, header.processId], ["Signal", peer.child.pid]);
  await peer.goaway();
});

test("a worker that fails asks for nothing more", posix, async (t) => {
  const source = `
    process.on('SIGUSR2', () => process.stderr.write('heard'));
    export const never = () => new Promise(() => {});
    export const boom = () => { setTimeout(() => { throw new Error('boom'); }, 0); };`;
  const peer = await Peer.start(t, { source });
  peer.sendCall("never");
  peer.sendCall("boom");
  await peer.fatal();
  peer.child.kill("SIGUSR2");
  await once(peer.child, "exit");
  assert.deepEqual(peer.goaways, [{ reason: "uncaught exception: boom", lastId: 2 }]);
});
