import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, type TestContext, test } from "node:test";
import { cli, spawnCli } from "../support/cli.ts";
import { isAlive, startHost, testNode, until } from "../support/host.ts";
import { Releases } from "../support/release.ts";

/** `rootbridge worker`, fed lines. At the test's end it has ended, and so has every worker. */
class Session {
  readonly child: ReturnType<typeof spawnCli>;
  readonly #answers: AsyncIterator<string>;
  stderr = "";

  constructor(t: TestContext, releases: Releases, flags: readonly string[] = []) {
    this.child = spawnCli(["worker", releases.entry, ...flags]);
    t.after(() => this.child.kill("SIGKILL"));
    this.#answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
  }

  send(method: string, data?: unknown): void {
    this.child.stdin.write(`${JSON.stringify({ method, data })}\n`);
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the function returned
  async answer(): Promise<any> {
    const { value, done } = await this.#answers.next();
    assert.ok(!done, `no answer came\n${this.stderr}`);
    const { data, error } = JSON.parse(value);
    assert.equal(error, undefined, value);
    return data;
  }

  ask(method: string, data?: unknown) {
    this.send(method, data);
    return this.answer();
  }

  /** Asks for the version until it is the expected one. */
  async untilVersion(version: number): Promise<void> {
    const end = performance.now() + 20_000;
    while ((await this.ask("version")) !== version) {
      assert.ok(performance.now() < end, `waited in vain for version ${version}\n${this.stderr}`);
    }
  }

  signal(): void {
    this.child.kill("SIGUSR2");
  }

  /** Ends the input and expects that all is well. */
  async end(releases: Releases): Promise<void> {
    this.child.stdin.end();
    assert.equal((await this.#answers.next()).done, true);
    const [code] = this.child.exitCode === null ? await once(this.child, "exit") : [0];
    assert.equal(code, 0);
    assert.deepEqual(releases.pids().filter(isAlive), []);
  }
}

function deployFirst(t: TestContext, extra = ""): Releases {
  const releases = new Releases(t);
  releases.deploy(1, extra);
  return releases;
}

describe("rootbridge worker, fed lines, on SIGUSR2", { concurrency: 3 }, () => {
  const stream = async (t: TestContext, signals: number): Promise<void> => {
    const releases = deployFirst(t);
    const session = new Session(t, releases);
    const sendOne = (n: number): void => session.send("work", { n, milliseconds: n % 9 });
    for (let n = 0; n < 32; n++) sendOne(n);
    let newest = 0;
    for (let n = 0; newest < 4; n++) {
      const { n: answered, versions } = await session.answer();
      assert.equal(answered, n);
      assert.equal(versions[0], versions[1]);
      sendOne(n + 32);
      if (versions[0] <= newest) continue;
      newest = versions[0];
      releases.deploy(newest + 1);
      for (let i = 0; i < signals; i++) session.signal();
    }
    for (let i = 0; i < 32; i++) await session.answer();
    await session.end(releases);
    assert.equal(session.stderr, "");
  };

  test("reloads, and answers every line once and in order, wholly by the old or the new code", async (t) => {
    await stream(t, 1);
  });

  test("in a storm does so too", async (t) => {
    await stream(t, 100);
  });

  test("lets a line that runs finish with the old code, and gives the next to the new", async (t) => {
    const releases = deployFirst(t);
    const session = new Session(t, releases);
    const pid = await session.ask("pid");
    session.send("hold", releases.path("flag"));
    await until(() => existsSync(releases.path("flag.held")), "the line runs");
    releases.deploy(2);
    session.signal();
    await until(() => releases.pids().length === 2, "the new code is being loaded");
    session.send("work", { n: 0, milliseconds: 500 });
    writeFileSync(releases.path("flag"), "");
    assert.equal(await session.answer(), 1);
    await session.answer();
    await session.untilVersion(2);
    await until(() => !isAlive(pid), "the old worker has ended");
    await session.end(releases);
  });

  test("while the code is being loaded, reloads after that", async (t) => {
    const releases = new Releases(t);
    const go = JSON.stringify(releases.path("go"));
    releases.deploy(1, `while (!existsSync(${go})) block(5);`);
    const session = new Session(t, releases);
    session.send("version");
    await until(() => releases.pids().length === 1, "the code is being loaded");
    releases.deploy(2);
    session.signal();
    writeFileSync(releases.path("go"), "");
    await session.answer();
    await session.untilVersion(2);
    await session.end(releases);
  });

  test("goes on with the old code when the new does not load, and says so in one line", async (t) => {
    const releases = deployFirst(t);
    const session = new Session(t, releases);
    assert.equal(await session.ask("version"), 1);
    releases.deploy(2, "exports.a = (;");
    session.signal();
    await until(() => session.stderr.endsWith("\n"), "the failure is told");
    assert.equal(await session.ask("version"), 1);
    releases.deploy(3);
    session.signal();
    await session.untilVersion(3);
    await session.end(releases);
    assert.match(
      session.stderr,
      /^error: reload failed, generation 1 goes on: boot_failed: SyntaxError: .*\n$/,
    );
  });

  test("tells a failure as JSON with --json", async (t) => {
    const releases = deployFirst(t);
    const session = new Session(t, releases, ["--json"]);
    await session.ask("version");
    releases.deploy(2, "throw new Error('broken');");
    session.signal();
    const told = (): object[] =>
      session.stderr
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
        .filter(({ reload }) => reload === "failed");
    await until(() => session.stderr.endsWith("\n") && told().length === 1, "the failure is told");
    await session.end(releases);
  });
});

describe("rootbridge worker --watch", { concurrency: 3 }, () => {
  test("reloads when a file changes, without a signal", async (t) => {
    const releases = deployFirst(t);
    const session = new Session(t, releases, ["--watch"]);
    assert.equal(await session.ask("version"), 1);
    releases.change(1, "version.js", "module.exports = 7;");
    await session.untilVersion(7);
    await session.end(releases);
  });

  test("fed frames, tells its worker", async (t) => {
    const releases = deployFirst(t, onSignal);
    const command = [process.execPath, cli, "worker", releases.entry, "--watch"];
    const host = await startHost(t, { command: [...command, "--node", testNode] });
    const seen = join(releases.folder(1), ".seen");
    releases.change(1, "version.js", "module.exports = 7;");
    await until(() => existsSync(seen), "the worker was told");
    await host.call("version");
  });
});

/** Code that tells of a SIGUSR2, whatever the worker makes of it. */
const onSignal = `
  process.on("SIGUSR2", () => require("node:fs").writeFileSync(__dirname + "/.seen", ""));`;

describe("rootbridge worker, fed frames, on SIGUSR2", { concurrency: 3 }, () => {
  test("passes it on to its worker", async (t) => {
    const releases = deployFirst(t, onSignal);
    const command = [process.execPath, cli, "worker", releases.entry, "--node", testNode];
    const host = await startHost(t, { command });
    const seen = join(releases.folder(1), ".seen");
    process.kill(host.stats().workers[0]?.pid ?? 0, "SIGUSR2");
    await until(() => existsSync(seen), "the worker was told");
    assert.equal(await host.call("version"), 1);
  });
});
