import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Peer } from "../support/peer.ts";
import { fixture, temporaryFolder, testNodeMajor, WORKER } from "../support/worker-process.ts";

/** Nodes that load ES modules which don't say so, and those that strip types. */
const DETECTS_MODULES = testNodeMajor >= 20;
const STRIPS_TYPES = testNodeMajor >= 22;

const LOADED: Record<string, [string, unknown]> = {
  "a CommonJS file": ["plain.cjs:main", [true, 2, true]],
  "an ES module": ["esm.mjs:main", [2, true]],
  "an ES module with a top-level await": ["tla.mjs:get", "ready"],
  "a .js whose package is of type module": ["type-module/index.js:get", "a module by its package"],
  "a folder with exports for importers": ["esm-package:get", "esm package"],
  "a folder with a main without extension": ["cjs-package:get", "cjs package"],
  "a folder with an index.js": ["index-folder:get", "index"],
  "a folder with nested conditions": ["dual-package:get", "dual package"],
  "a file named without its extension": ["index-folder/index:get", "index"],
  "a module that exports a promise": ["promise.js:get", "from a promise"],
};

for (const [what, [target, result]] of Object.entries(LOADED)) {
  test(`${what} is loaded as node would`, async (t) => {
    const [file = "", method = ""] = target.split(":");
    const peer = await Peer.start(t, `load/${file}`);
    assert.deepEqual(await peer.call(method), result);
    await peer.goaway();
  });
}

test("an ES module in a .js that doesn't say so is loaded where Node can, else told what to do", async (t) => {
  for (const [file, result] of [
    ["ambiguous.js", "/"],
    ["tla-ambiguous.js", "ready"],
  ] as const) {
    if (DETECTS_MODULES) {
      const peer = await Peer.start(t, `load/${file}`);
      assert.equal(await peer.call("get"), result);
    } else {
      const error = await Peer.failure(t, `load/${file}`);
      assert.match(error.message, /name it \.mjs, or put "type": "module"/);
    }
  }
});

test("TypeScript is loaded where Node strips types, else told what to do", async (t) => {
  if (!STRIPS_TYPES) {
    const error = await Peer.failure(t, "load/typed.ts");
    assert.match(
      error.message,
      /use Node 22\.18 or newer, preload tsx \(--import tsx\), or compile it/,
    );
    return;
  }
  const typed = await Peer.start(t, "load/typed.ts");
  assert.equal(await typed.call("total", { total: 3 }), 3);
  const module = await Peer.start(t, "load/typed.mts");
  assert.equal(await module.call("twice", 3), 6);
});

test("TypeScript that needs more than stripping is an error that names the syntax", async (t) => {
  const error = await Peer.failure(t, "load/enum.ts");
  assert.equal(error.code, "boot_failed");
  assert.match(error.message, STRIPS_TYPES ? /enum/i : /TypeScript/);
});

test("an entry that is a symbolic link is loaded from where it leads", async (t) => {
  const link = join(temporaryFolder(t), "link.js");
  symlinkSync(fixture("load/cjs-package/lib/start.js"), link);
  const peer = await Peer.start(t, link);
  assert.equal(await peer.call("get"), "cjs package");
});

test("source is a module of the working directory: its imports resolve from there", async (t) => {
  const source = `import installed from "installed"; import { url } from "./esm.mjs"; import { basename } from "node:path";
    import { currentCall } from "rootbridge";
    const later = await Promise.resolve("awaited");
    export const names = () => [installed.name, url(), basename(new URL("x", import.meta.url).pathname), later];
    export const traceId = () => currentCall().traceId;
    export const lazy = async () => (await import("./cjs-package/lib/start.js")).default.get();
    export default { member: () => "member" };`;
  const peer = await Peer.start(t, { source, cwd: fixture("load") });
  assert.deepEqual(await peer.call("names"), ["installed package", "esm.mjs", "x", "awaited"]);
  assert.equal(await peer.call("traceId", 1, { traceId: "t-9" }), "t-9");
  assert.equal(await peer.call("lazy"), "cjs package");
  assert.equal(await peer.call("member"), "member");
  await peer.goaway();
});

test("source with a syntax error tells the line", async (t) => {
  const error = await Peer.failure(t, {
    source: "export const a = 1;\nexport const b = ) 2;",
    cwd: fixture("load"),
  });
  assert.match(error.message, /rootbridge-source\.mjs:2: SyntaxError/);
});

for (const file of ["uses-rootbridge.mjs", "uses-rootbridge.cjs"]) {
  test(`rootbridge needs no install in ${file}`, async (t) => {
    const peer = await Peer.start(t, `load/${file}`);
    const ids = await Promise.all(
      ["t-1", "t-2"].map((traceId) => peer.call("traceId", 1, { traceId })),
    );
    assert.deepEqual(ids, ["t-1", "t-2"]);
    await peer.goaway();
  });
}

test("every way to rootbridge leads to the same function", async (t) => {
  const module = await Peer.start(t, "load/uses-rootbridge.mjs");
  assert.equal(await module.call("same"), true);
  const commonjs = await Peer.start(t, "load/uses-rootbridge.cjs");
  assert.equal(typeof (await commonjs.call("resolved")), "string");
  // Older Nodes give CommonJS's import() its hooks only from another thread, which plain CommonJS does not pay for.
  if (testNodeMajor >= 22) assert.equal(await commonjs.call("dynamic"), true);
});

test("an installed copy of rootbridge is preferred", async (t) => {
  const source = `import own from "rootbridge"; import { createRequire } from "node:module";
    export const names = () => [own.name, createRequire(import.meta.url)("rootbridge").name];`;
  const peer = await Peer.start(t, { source, cwd: fixture("load/with-install") });
  assert.deepEqual(await peer.call("names"), ["an installed copy", "an installed copy"]);
});

const FAILED: Record<string, [string, RegExp[]]> = {
  "a syntax error": ["syntax.js", [/syntax\.js:4: SyntaxError: Unexpected token ';'/]],
  "a syntax error in a module": [
    "syntax.mjs",
    [/syntax\.mjs:2: SyntaxError: Unexpected token '\)'/],
  ],
  "a missing package": ["missing.js", [/Cannot find module 'no-such-package'/, /npm install/]],
  "a package that a module misses": [
    "missing.mjs",
    [/Cannot find package 'no-such-package'/, /npm install/],
  ],
  "a missing file of its own": ["missing-file.js", [/Cannot find module '\.\/lib\/gone'/]],
  "a throw at load": [
    "throws.js",
    [/throws\.js did not load: ConfigError: DATABASE_URL is not set/],
  ],
  "a thrown text": ["throws-text.js", [/throws-text\.js did not load: just text/]],
  "a process.exit at load": [
    "exits.js",
    [/process\.exit\(0\) was called while the code was loading/],
  ],
  "a process.exit while it waits": [
    "exits-later.mjs",
    [/process\.exit\(5\) was called while the code was loading/],
  ],
  "a top-level await that never settles": ["never.mjs", [/top-level await never settled/]],
  "an unhandled rejection while it loads": ["rejects.mjs", [/left alone/]],
  "an uncaught exception while it loads": ["throws-later.mjs", [/thrown by a timer/]],
  "a missing export": ["import-missing-export.mjs", [/does not provide an export named 'nothing'/]],
  "no such file": ["nowhere.js", [/nothing to load at .*nowhere\.js: expected a file/]],
  "a folder without a package's entry": ["no-entry", [/nothing to load at .*no-entry/]],
};

for (const [what, [file, parts]] of Object.entries(FAILED)) {
  test(`${what} is boot_failed, and says where and what`, async (t) => {
    const error = await Peer.failure(t, `load/${file}`);
    assert.equal(error.code, "boot_failed");
    for (const part of parts) assert.match(error.message, part);
  });
}

test("a syntax error's stack shows the line with a caret, as Node prints it", async (t) => {
  for (const file of ["syntax.js", "syntax.mjs"]) {
    const { stack = "" } = await Peer.failure(t, `load/${file}`);
    assert.match(
      stack,
      file === "syntax.js" ? /return 1 \+;\n\s+\^/ : /export const b = \) 2;\n\s+\^/,
    );
  }
});

test("an error thrown at load crosses whole", async (t) => {
  const error = await Peer.failure(t, "load/throws.js");
  assert.equal(error.name, "ConfigError");
  assert.deepEqual(error.fields, { missing: ["DATABASE_URL"] });
  assert.match(error.stack ?? "", /throws\.js:8:7/);
});

test("what was printed before a failed load is logged", async (t) => {
  const peer = Peer.spawn(t, "load/exits.js");
  assert.deepEqual(await peer.exited, { code: 1, signal: null });
  await peer.log("giving up");
});

test("a file that exports nothing callable is ready with no methods", async (t) => {
  const peer = await Peer.start(t, "load/data.json");
  assert.deepEqual(peer.methods, []);
  assert.equal((await peer.fail("get")).code, "method_not_found");
});

test("the worker's own arguments and variables are hidden from user code", async (t) => {
  const peer = await Peer.start(t, { file: "load/argv.js", moved: true });
  assert.deepEqual(await peer.call("get"), [2, null, "argv.js"]);
});

test("preloads by NODE_OPTIONS that print do not disturb the session", async (t) => {
  const preload = fixture("load/preload.cjs");
  const peer = await Peer.start(t, {
    file: "calls/basic.js",
    env: { NODE_OPTIONS: `--require ${preload}` },
  });
  assert.equal(await peer.call("add", [1, 2]), 3);
  await peer.goaway();
});

test("the worker runs from -e, where there is no disk to put it on", async (t) => {
  const program = `require("module").prototype._compile.call(module, require("fs").readFileSync(${JSON.stringify(join(dirname(WORKER), "worker.cjs"))}, "utf8"), "/nowhere/worker.cjs")`;
  const peer = await Peer.start(t, { file: "calls/basic.js", evaluate: program });
  assert.equal(await peer.call("add", [1, 2]), 3);
  await peer.goaway();
  const module = await Peer.start(t, { file: "load/tla.mjs", evaluate: program });
  assert.equal(await module.call("get"), "ready");
});
