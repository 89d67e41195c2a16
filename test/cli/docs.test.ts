import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { cli, testEnvironment } from "../support/cli.ts";
import { temporaryFolder } from "../support/host.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "cli.md"), "utf8");

describe("docs/cli.md", () => {
  test("shows what its examples really print", async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "legacy"));
    writeFileSync(join(folder, "legacy", "index.js"), blocks("js")[0] ?? "");
    const command = join(folder, "rootbridge");
    writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`);
    chmodSync(command, 0o700);
    const env = { ...testEnvironment, PATH: folder + delimiter + process.env["PATH"] };
    const examples = blocks("console").flatMap(examplesOf);
    assert.ok(examples.length >= 8);
    const check = async ({ line, output }: { line: string; output: string }): Promise<void> => {
      const script = `{ ${line}\n} 2>&1`;
      const { stdout } = await promisify(execFile)("sh", ["-c", script], { cwd: folder, env });
      assert.equal(withoutFrames(stdout), output, line);
    };
    await Promise.all(examples.map(check));
  });

  test("names every flag that help does", async () => {
    for (const command of ["call", "worker", "methods"]) {
      const { stdout } = await promisify(execFile)(process.execPath, [cli, command, "--help"]);
      for (const [flag] of stdout.matchAll(/--[a-z-]+/g)) assert.ok(page.includes(flag), flag);
    }
  });
});

function blocks(language: string): string[] {
  const pattern = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g");
  return [...page.matchAll(pattern)].map(([, body = ""]) => body);
}

/** A line after "$ " is a command; what follows, up to the next one, is its output. */
function examplesOf(block: string): { line: string; output: string }[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((example) => {
      const [line = "", ...output] = example.split("\n");
      return { line, output: output.join("\n") };
    });
}

/** Stacks are written as one line with an ellipsis. */
function withoutFrames(text: string): string {
  return text.replace(/( +at .*\n)+/g, "    at …\n");
}
