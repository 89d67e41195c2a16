import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Peer } from "../support/peer.ts";
import {
  fixture,
  temporaryFolder,
  testNode,
  WORKER,
  type WorkerOptions,
} from "../support/worker-process.ts";

/** Ways to start a worker: with pipes that it guards, with pipes moved by a shell, with sockets that can't be guarded. */
const WAYS: Record<string, Partial<WorkerOptions>> = {
  guarded: {},
  moved: { moved: true },
  unguarded: { sockets: true },
};

for (const [way, options] of Object.entries(WAYS)) {
  const { sockets = false } = options;
  const start = (t: Parameters<typeof Peer.start>[0], file: string) =>
    Peer.start(t, { ...options, file });

  test(`${way}: what is printed at load and in calls corrupts no frame`, async (t) => {
    // A socket can't be opened by its /dev path; nothing else differs.
    const file = sockets ? "stdio/prints-no-dev.js" : "stdio/prints.js";
    const peer = await start(t, file);
    assert.equal(await peer.call("print", "in a call"), "in a call");
    for (const where of ["at load", "in a call"]) {
      assert.equal((await peer.log(`log ${where}`)).source, "console");
      assert.equal((await peer.log(`stream ${where}`)).source, "stdout");
    }
    await peer.goaway();
    for (const where of ["at load", "in a call"]) {
      assert.match(peer.stderr, new RegExp(`^descriptor ${where}$`, "m"));
      assert.match(peer.stderr, new RegExp(`^child ${where}$`, "m"));
      if (!sockets) assert.match(peer.stderr, new RegExp(`^dev ${where}$`, "m"));
    }
  });

  test(`${way}: bytes on descriptor 1 that look like frames are not taken for any`, async (t) => {
    const peer = await start(t, "stdio/frames.js");
    assert.equal(await peer.call("write"), "mine");
    assert.equal(await peer.call("write"), "mine");
    await peer.goaway();
  });

  test(`${way}: calls go on after descriptors 0 and 1 were closed`, async (t) => {
    const peer = await start(t, "stdio/closes.js");
    await peer.call("closeOut");
    await peer.call("print", "after closing 1");
    await peer.call("closeIn");
    await peer.call("print", "after closing 0");
    await peer.log("after closing 1");
    await peer.log("after closing 0");
    await peer.goaway();
  });

  test(`${way}: calls and prints go on after process.stdout was ended and destroyed`, async (t) => {
    const peer = await start(t, "stdio/closes.js");
    await peer.call("end");
    await peer.log("last words");
    await peer.call("print", "after the end");
    await peer.log("after the end");
    await peer.call("destroy");
    await peer.call("print", "after destruction");
    await peer.log("after destruction");
    await peer.goaway();
  });

  for (const method of ["readFile", "readDescriptor", "readline", "encoding", "child"]) {
    test(`${way}: user code that reads stdin by ${method} finds it empty and steals no call`, async (t) => {
      const peer = await start(t, "stdio/reads.js");
      const first = peer.sendCall(method);
      const others = ["a", "b", "c"].map((value) => peer.sendCall("echo", value));
      const { value, error } = await peer.answer(first);
      assert.equal(error, undefined);
      assert.ok(
        value === "" || value === 0 || (Array.isArray(value) && value.length === 0),
        `${value}`,
      );
      const echoed = await Promise.all(others.map((id) => peer.answer(id)));
      assert.deepEqual(
        echoed.map((answer) => answer.value),
        ["a", "b", "c"],
      );
      await peer.goaway();
    });
  }

  test(`${way}: a module that reads stdin while it loads reads nothing`, async (t) => {
    const peer = await start(t, "stdio/steals-at-load.js");
    assert.equal(await peer.call("get"), "");
    await peer.goaway();
  });

  test(`${way}: five megabytes printed at once arrive or are said to be missing`, async (t) => {
    const peer = await start(t, "stdio/large.js");
    assert.equal(await peer.call("lines"), "done");
    assert.equal(await peer.call("oneLine"), "done");
    assert.equal(await peer.call("descriptor"), 5_000_000);
    await peer.goaway();
    const lines = peer.logs.filter(({ text }) => text === "x".repeat(99)).length;
    assert.equal(lines + droppedLines(peer), 50_000);
    const atLoad = peer.logs.find(({ source }) => source === "console");
    assert.match(atLoad?.text ?? "", /^x{99}\n.*… \(\d+ more bytes\)$/s);
    const long = peer.logs.find(({ text }) => text.startsWith("yyy"))?.text ?? "";
    const [, kept = "", missing] = /^(y+) … \((\d+) more bytes\)$/.exec(long) ?? [];
    assert.equal(kept.length + Number(missing), 5_000_000);
    assert.ok(Buffer.byteLength(long) <= 32_768);
    assert.equal(peer.stderr.length, 5_000_000);
  });

  test(`${way}: a large answer arrives whole while its reader is slow`, async (t) => {
    const peer = await start(t, "stdio/large.js");
    peer.setReading(false);
    const ids = [3_000_000, 1, 2_000_000].map((size) => peer.sendCall("answer", size));
    peer.setReading(true);
    const answers = await Promise.all(ids.map((id) => peer.answer(id)));
    assert.deepEqual(
      answers.map(({ value }) => (value as string).length),
      [3_000_000, 1, 2_000_000],
    );
    await peer.goaway();
  });
}

function droppedLines(peer: Peer): number {
  const drops = peer.logs.map(({ text }) => /^(\d+) log lines were dropped/.exec(text)?.[1] ?? 0);
  return drops.reduce<number>((sum, count) => sum + Number(count), 0);
}

test("the guard leaves descriptor 0 at /dev/null, 1 at stderr, and no copies that children inherit", async (t) => {
  const peer = await Peer.start(t, "stdio/descriptors.js");
  const own = (await peer.call("own")) as Record<string, string>;
  assert.equal(own["0"], "/dev/null");
  assert.equal(own["1"], own["2"]);
  const isProtocol = (link: string) => link.includes("rootbridge-pipe-") && link !== own["2"];
  assert.equal(Object.values(own).filter(isProtocol).length, 2);
  const childs = (await peer.call("childs")) as Record<string, string>;
  assert.deepEqual(Object.values(childs).filter(isProtocol), []);
  await peer.goaway();
});

test("a log that stderr is redirected to is not truncated", (t) => {
  const folder = temporaryFolder(t);
  const log = join(folder, "log");
  writeFileSync(log, "before\n");
  const input = '{"method":"print","data":"in a call"}\n';
  const command = `cat | "$0" "$1" "$2" 2>>"$3" | cat`;
  const args = ["-c", command, testNode, WORKER, fixture("stdio/prints.js"), log];
  const { stdout } = spawnSync("sh", args, { input, encoding: "utf8" });
  assert.equal(stdout, '{"data":"in a call"}\n');
  assert.match(readFileSync(log, "utf8"), /^before\n.*child in a call$/ms);
});
