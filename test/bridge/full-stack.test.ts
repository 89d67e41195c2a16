import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SCRIPT = fileURLToPath(new URL("../support/full-stack.ts", import.meta.url));

test("a large result is added whole or not at all, however full the stack is, and its owner may change it then", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT]);
  const { added, refused, wrong } = JSON.parse(stdout);
  assert.ok(added > 100, stdout);
  assert.ok(refused > 100, stdout);
  assert.equal(wrong, 0, stdout);
});
