import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SCRIPT = fileURLToPath(new URL("../support/full-stack.ts", import.meta.url));

test("a large result is added whole or not at all, however full the stack is, and its owner may change it then", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "rootbridge-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, fifo]);
  const { added, refused, wrong } = JSON.parse(stdout);
  assert.ok(added > 100, stdout);
  assert.ok(refused > 100, stdout);
  assert.equal(wrong, 0, stdout);
});
