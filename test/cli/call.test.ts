import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { cli, runCli, spawnCli, testEnvironment } from "../support/cli.ts";
import { fixture, isAlive, temporaryFolder, testNode, until } from "../support/host.ts";

const legacy = fixture("legacy.js");

describe("rootbridge call", { concurrency: 3 }, () => {
  test("prints the result as JSON on stdout, and what the code prints on stderr", async () => {
    const { code, stdout, stderr } = await runCli(["call", legacy, "echo", '{"a":[1,"é"]}']);
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n', stderr: "" },
    );
    const said = await runCli(["call", legacy, "say", '"hello there"']);
    assert.deepEqual(
      { code: said.code, stdout: said.stdout, stderr: said.stderr },
      { code: 0, stdout: "", stderr: "hello there\n" },
    );
  });

  test("reads the argument from stdin for -, and prints one line with --json", async () => {
    const { code, stdout } = await runCli(["call", legacy, "echo", "-", "--json"], {
      input: '{"a":\n1}',
    });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '{"a":1}\n' });
  });

  test("tells no argument from null", async () => {
    const [none, nothing] = await Promise.all([
      runCli(["call", legacy, "count"]),
      runCli(["call", legacy, "count", "null"]),
    ]);
    assert.deepEqual([none.stdout, nothing.stdout], ["0\n", "1\n"]);
  });

  test("writes bytes as they are, also to a file", async (t) => {
    const path = join(temporaryFolder(t), "out");
    const piped = await runCli(["call", legacy, "bytes", "200000"]);
    assert.deepEqual(piped.bytes, Buffer.alloc(200_000, 7));
    const filed = await runCli(["call", legacy, "bytes", "3", "-o", path]);
    assert.deepEqual({ code: filed.code, stdout: filed.stdout }, { code: 0, stdout: "" });
    assert.deepEqual(readFileSync(path), Buffer.alloc(3, 7));
  });

  test("refuses to write bytes to a terminal", async () => {
    const nodeArgs = ["--import", "data:text/javascript,process.stdout.isTTY=true"];
    const { code, bytes, stderr } = await runCli(["call", legacy, "bytes", "3"], { nodeArgs });
    assert.deepEqual({ code, size: bytes.length }, { code: 2, size: 0 });
    assert.match(stderr, /3 bytes.*--output/);
  });

  test("shows an exception with its stack and causes on stderr, and exits with 1", async () => {
    const { code, stdout, stderr } = await runCli(["call", legacy, "boom"]);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(
      stderr,
      /^error: boom: exception: TypeError: no such order\n {4}at .*legacy\.js:\d+/,
    );
    assert.match(stderr, /\[cause\] RangeError: number 12\n/);
    const both = await runCli(["call", legacy, "booms"]);
    assert.match(both.stderr, /\[error\] Error: one[\s\S]*\[error\] TypeError: two/);
  });

  test("shows an error as one line of JSON with --json", async () => {
    const { code, stderr } = await runCli(["call", legacy, "boom", "--json"]);
    assert.equal(code, 1);
    const { error } = JSON.parse(stderr.trim());
    assert.deepEqual(
      [error.code, error.name, error.fields.order],
      ["exception", "TypeError", { id: 12 }],
    );
  });

  test("follows a convention, a codec and a timeout", async () => {
    const sum = await runCli([
      "call",
      legacy,
      "add_later",
      "[2,3]",
      "--convention",
      "args_callback",
      "--codec",
      "msgpack",
    ]);
    assert.equal(sum.stdout, "5\n");
    const late = await runCli(["call", legacy, "loop", "--timeout", "200ms"]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /loop: deadline_exceeded: no result within 200 ms/);
  });

  test("sets environment, folder, Node's arguments and trace id", async (t) => {
    const folder = temporaryFolder(t);
    const variable = await runCli(["call", legacy, "variable", '"A"', "--env", "A=b=c"]);
    assert.equal(variable.stdout, '"b=c"\n');
    const cwd = await runCli(["call", legacy, "cwd", "--dir", folder]);
    assert.match(cwd.stdout, new RegExp(folder.split("/").at(-1) ?? ""));
    const args = await runCli(["call", legacy, "arguments", "--json", "--node-arg=--no-warnings"]);
    assert.equal(args.stdout, '["--no-warnings"]\n');
    const said = await runCli(["call", legacy, "say", '"hi"', "--trace-id", "t-7", "--json"]);
    assert.equal(JSON.parse(said.stderr)["trace_id"], "t-7");
  });

  test("says what is wrong with a command line, and exits with 2", async () => {
    for (const [args, words] of [
      [[], /expected a command \(call, worker, methods\), got nothing/],
      [["cal"], /got "cal"/],
      [["call", legacy], /expected FILE METHOD \[JSON\], got 1 of them/],
      [["call", legacy, "echo", "{secret"], /expected JSON as argument, got 7 characters/],
      [["call", "no/such/file.js", "echo"], /no\/such\/file\.js/],
      [["call", legacy, "echo", "--nope"], /--nope/],
      [["call", legacy, "echo", "--timeout", "soon"], /timeout: expected a time/],
      [["call", legacy, "echo", "--env", "secret"], /env: expected KEY=VALUE/],
      [["call", legacy, "echo", "--convention", "odd"], /convention/],
    ] as const) {
      const { code, stdout, stderr } = await runCli(args);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, words);
      assert.ok(!stderr.includes("secret"), stderr);
    }
  });

  test("exits with 3 for code that does not load, and shows why", async () => {
    const { code, stderr } = await runCli(["call", fixture("broken-throw.js"), "a"]);
    assert.equal(code, 3);
    assert.match(stderr, /looking for the config[\s\S]*no config found[\s\S]*broken-throw\.js:3/);
  });

  test("ends at SIGINT with 130, its worker before it", async () => {
    const child = spawnCli(["call", legacy, "spawn_and_wait"]);
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    await until(() => /pid \d+/.test(stderr), "the function runs");
    const pid = Number(/pid (\d+)/.exec(stderr)?.[1]);
    child.kill("SIGINT");
    const code = await new Promise((resolve) => child.on("exit", resolve));
    assert.deepEqual({ code, stderr }, { code: 130, stderr: `pid ${pid}\n` });
    assert.equal(isAlive(pid), false);
  });

  test("ends without a word when nobody reads its output", async () => {
    const child = spawnCli(["call", legacy, "bytes", "5000000"]);
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.on("exit", resolve));
    assert.deepEqual({ code, stderr }, { code: 141, stderr: "" });
  });
});

describe("rootbridge", { concurrency: 3 }, () => {
  test("helps, with an example for each command", async () => {
    const all = await runCli(["--help"]);
    assert.equal(all.code, 0);
    for (const command of ["call", "worker", "methods"]) {
      assert.ok(all.stdout.includes(`\n  ${command} FILE`), all.stdout);
      const one = await runCli([command, "--help"]);
      assert.equal(one.code, 0);
      assert.match(
        one.stdout,
        new RegExp(
          `^Usage: rootbridge ${command} FILE[\\s\\S]*Example:\\n  .*rootbridge ${command} `,
        ),
      );
    }
  });

  test("tells its version", async () => {
    const { code, stdout } = await runCli(["--version"]);
    assert.equal(code, 0);
    assert.match(stdout, /^rootbridge \d+\.\d+\.\d+\n$/);
  });

  test("colours what goes to a terminal, and nothing where NO_COLOR is set", async () => {
    const isTerminal =
      "import tty from 'node:tty'; const { stderr } = process; stderr.isTTY = true; stderr.getColorDepth = tty.WriteStream.prototype.getColorDepth";
    const terminal = ["--import", `data:text/javascript,${encodeURIComponent(isTerminal)}`];
    for (const [nodeArgs, NO_COLOR, coloured] of [
      [terminal, undefined, true],
      [terminal, "1", false],
      [[], undefined, false],
    ] as const) {
      const { stderr } = await runCli(["nope"], {
        nodeArgs,
        env: { NO_COLOR, CI: undefined, TERM: "xterm" },
      });
      assert.equal(stderr.includes("\u001b[31merror:"), coloured, stderr);
    }
  });
});

describe("rootbridge methods", { concurrency: 3 }, () => {
  test("lists what a file exports, one on each line or as JSON", async () => {
    const lines = await runCli(["methods", fixture("modern.mjs")]);
    assert.deepEqual(
      { code: lines.code, stdout: lines.stdout },
      { code: 0, stdout: "trace\nwaitForAbort\n" },
    );
    const list = await runCli(["methods", fixture("modern.mjs"), "--json"]);
    assert.equal(list.stdout, '["trace","waitForAbort"]\n');
  });
});

const foreign: [args: string[], flag: string][] = [
  [["methods", legacy, "-o", "x"], "--output"],
  [["methods", legacy, "--timeout", "1s"], "--timeout"],
  [["worker", legacy, "--codec", "msgpack"], "--codec"],
  [["worker", legacy, "-o", "f"], "--output"],
  [["call", legacy, "echo", "1", "--watch"], "--watch"],
];

for (const [args, flag] of foreign) {
  test(`rootbridge ${args[0]} refuses ${flag}, which it does not have`, async () => {
    const { code, stdout, stderr } = await runCli(args);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, new RegExp(`^error: ${args[0]}: expected flags of --.*, got ${flag}\n$`));
  });
}

const full = { skip: !existsSync("/dev/full") && "there is no /dev/full" };

test("rootbridge says in one line that it can't write, and exits with 1", full, async (t) => {
  const out = openSync("/dev/full", "w");
  t.after(() => closeSync(out));
  const args = [cli, "call", legacy, "echo", "1", "--node", testNode];
  const child = spawn(process.execPath, args, {
    env: testEnvironment,
    stdio: ["ignore", out, "pipe"],
  });
  const exited = once(child, "exit");
  assert.match(
    await text(child.stderr as Readable),
    /^error: stdout can't be written: ENOSPC[^\n]*\n$/,
  );
  assert.deepEqual(await exited, [1, null]);
});
