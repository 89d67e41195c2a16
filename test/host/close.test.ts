import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { start } from "../../src/index.ts";
import {
  failure,
  fixture,
  isAlive,
  startHost,
  temporaryFolder,
  testNode,
  until,
} from "../support/host.ts";

/** Makes the program that follows process 1 of a container. Needs root, and Linux. */
const unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

describe("close", { concurrency: true }, () => {
  test("waits for calls in flight, and takes no more", async (t) => {
    const host = await startHost(t);
    const pid = await host.call<number>("pid");
    const call = host.call("sleep", 200);
    const closed = host.close();
    await failure(host.call("echo", 1), "closed");
    assert.equal(await call, 200);
    await closed;
    assert.equal(isAlive(pid), false);
    assert.equal(host.stats().ready, 0);
    await host.close();
  });

  test("fails the calls that still wait for a worker", async (t) => {
    const host = await startHost(t, { concurrency: 1 });
    const running = host.call("sleep", 100);
    const waiting = failure(host.call("echo", 1), "closed");
    await host.close();
    await waiting;
    assert.equal(await running, 100);
  });

  test("cuts off calls that take too long, and says so", async (t) => {
    const host = await startHost(t);
    const call = failure(host.call("never"), "closed");
    await failure(host.shutdown({ timeout: 50 }), "deadline_exceeded");
    await call;
  });

  test("does not wait for calls that nobody waits for", async (t) => {
    const host = await startHost(t, { killGrace: 60_000, drainTimeout: 60_000 });
    await failure(host.call("never", undefined, { timeout: 20 }), "deadline_exceeded");
    await host.close();
  });

  test("ends a worker in a loop, and one that ignores SIGTERM", async (t) => {
    const stuck = await startHost(t, { killGrace: 100 });
    const loop = failure(stuck.call("loop"), "closed");
    const deaf = await startHost(t, { killGrace: 100 });
    await deaf.call("ignore_term");
    const deafLoop = failure(deaf.call("loop"), "closed");
    await failure(stuck.shutdown({ timeout: 0 }), "deadline_exceeded");
    await failure(deaf.shutdown({ timeout: 0 }), "deadline_exceeded");
    await Promise.all([loop, deafLoop]);
  });

  test("ends workers that are still starting", async (t) => {
    const folder = temporaryFolder(t);
    const source = `
      import { mkdirSync, writeFileSync } from "node:fs";
      const taken = (() => {
        try { mkdirSync(${JSON.stringify(join(folder, "taken"))}); } catch { return true; }
      })();
      if (taken) writeFileSync(${JSON.stringify(join(folder, "pid"))}, String(process.pid));
      if (taken) await new Promise(() => setInterval(() => {}, 1000));
      export const ok = () => true;`;
    const host = await startHost(t, { source, workers: 2 });
    const slow = (): number => Number(readIfThere(join(folder, "pid")));
    await until(() => slow() > 0, "the other worker has begun to load");
    assert.equal(isAlive(slow()), true);
    await host.close();
    assert.equal(isAlive(slow()), false);
  });

  test("happens by itself at the end of a block", async () => {
    let pid = 0;
    {
      await using host = await start({ entry: fixture("legacy.js"), node: testNode, workers: 1 });
      pid = await host.call<number>("pid");
    }
    assert.equal(isAlive(pid), false);
  });

  test("lets the program end", async () => {
    const program = runHost("await host.call('echo', 1); await host.close(); console.log('done');");
    const [code] = await once(program, "exit");
    assert.equal(code, 0);
  });
});

describe("a host that is killed", { concurrency: true }, () => {
  test("takes a worker along that is stuck in a loop", async () => {
    const program = runHost(`
      console.log(await host.call("pid"));
      host.call("loop");`);
    const pid = Number(await firstLine(program));
    assert.equal(isAlive(pid), true);
    program.kill("SIGKILL");
    await until(() => !isAlive(pid), "the worker has ended");
  });

  test("takes it along also after signals to all processes, such as systemctl kill sends", async () => {
    const program = runHost(`
      process.on("SIGUSR2", () => {});
      console.log(await host.call("pid"));
      host.call("loop");`);
    const pid = Number(await firstLine(program));
    assert.equal(shellsOf(program.pid ?? 0).length, 1);
    for (const signal of ["SIGUSR2", "SIGHUP", "SIGINT", "SIGTERM"] as const) {
      for (const guard of shellsOf(program.pid ?? 0)) process.kill(guard, signal);
    }
    program.kill("SIGKILL");
    await until(() => !isAlive(pid), "the worker has ended");
  });
});

describe("a host that is process 1, as in a container", { skip: !canUnshare() }, () => {
  test("leaves no zombie of a worker that was replaced", () => {
    const script = hostProgram(`
      for (let i = 0; i < 3; i++) await host.call("die").catch(() => undefined);
      await host.reload();
      const { execFileSync } = await import("node:child_process");
      const states = () => execFileSync("ps", ["-A", "-o", "stat="], { encoding: "utf8" });
      // One that is just ending is waited for as soon as the event loop turns.
      let zombies = true;
      for (let i = 0; i < 500 && (zombies || host.stats().draining > 0); i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        zombies = /Z/.test(states());
      }
      console.log(process.pid, zombies);
      await host.close();
      console.log(states().trim().split("\\n").length);`);
    const args = [...unshare, process.execPath, "--input-type=module", "--eval", script];
    const [program = "", ...rest] = args;
    const output = execFileSync(program, rest, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    assert.equal(output, "1 false\n2\n"); // the second is ps itself
  });
});

function canUnshare(): boolean {
  const [program = "", ...rest] = [...unshare, "true"];
  return spawnSync(program, rest).status === 0;
}

/** Shells that a process has started. */
function shellsOf(parent: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" });
  const rows = table.split("\n").map((row) => row.trim().split(/\s+/));
  const shells = rows.filter(([, ppid, name]) => Number(ppid) === parent && name?.endsWith("sh"));
  return shells.map(([pid]) => Number(pid));
}

/** Runs a program with a host of its own. */
function runHost(body: string) {
  const args = ["--input-type=module", "--eval", hostProgram(body)];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

function hostProgram(body: string): string {
  const index = join(import.meta.dirname, "..", "..", "src", "index.ts");
  return `
    import { start } from ${JSON.stringify(index)};
    const entry = ${JSON.stringify(fixture("legacy.js"))};
    const host = await start({ entry, node: ${JSON.stringify(testNode)}, workers: 1 });
    ${body}`;
}

async function firstLine(program: ReturnType<typeof runHost>): Promise<string> {
  const [chunk] = await once(program.stdout, "data");
  return String(chunk).trim();
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
