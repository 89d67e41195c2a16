import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fixture, temporaryFolder, testNode, until } from "../support/host.ts";

const posix = { skip: process.platform === "win32" && "there is no SIGSTOP" };

test("a call whose time was over while its host was stopped is not sent", posix, async (t) => {
  const folder = temporaryFolder(t);
  const names = ["begun", "go", "answered", "ran"];
  const [begun, go, answered, ran] = names.map((name) => join(folder, name));
  const source = `
    import { existsSync, readFileSync, writeFileSync } from "node:fs";
    const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    export const hold = () => {
      writeFileSync(${JSON.stringify(begun)}, "");
      while (!existsSync(${JSON.stringify(go)})) block();
      setImmediate(() => writeFileSync(${JSON.stringify(answered)}, ""));
    };
    export const run = () => writeFileSync(${JSON.stringify(ran)}, "");`;
  const program = spawn(process.execPath, [fixture("pausing.mjs"), testNode, source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => program.kill("SIGKILL"));
  const lines = createInterface(program.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, "waiting");
  await until(() => existsSync(String(begun)), "the first call runs");
  program.kill("SIGSTOP");
  await until(() => isStopped(program.pid), "the program has stopped");
  writeFileSync(String(go), "");
  await until(() => existsSync(String(answered)), "the first call is answered");
  await setTimeout(1_200); // the second one's time
  program.kill("SIGCONT");
  assert.match(
    String((await lines.next()).value),
    /^deadline_exceeded: .*while waiting for a worker; the call did not run/,
  );
  assert.equal(existsSync(String(ran)), false);
});

/** On a busy machine a process stops some time after the signal. */
function isStopped(pid: number | undefined): boolean {
  const file = `/proc/${pid}/stat`;
  const state = existsSync(file)
    ? readFileSync(file, "utf8").replace(/^.*\) /s, "")
    : execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return state.startsWith("T");
}
