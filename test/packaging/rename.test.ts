import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..");

test("the Go module builds under another path", (t) => {
  const clone = join(mkdtempSync(join(tmpdir(), "rootbridge-rename-")), "clone");
  t.after(() => rmSync(join(clone, ".."), { recursive: true, force: true }));
  const run = (command: string, args: string[], cwd: string) =>
    execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  run("git", ["clone", "--quiet", root, clone], root);
  const script = join(root, "scripts", "rename-module.ts");
  run(process.execPath, [script, "example.com/team/rootbridge"], clone);
  assert.match(
    readFileSync(join(clone, "go-host", "go.mod"), "utf8"),
    /^module example\.com\/team\/rootbridge$/m,
  );
  run("go", ["build", "./..."], join(clone, "go-host"));
  for (const folder of [
    "examples/storefront",
    "examples/lambda-shop",
    "go-host/cmd/rootbridged",
    "test/chaos",
  ])
    run("go", ["build", "./..."], join(clone, folder));
});
