import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

test("README's first lines run in a module that was made as README says", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-readme-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(root, join(folder, "rootbridge"));
  const app = join(folder, "app");
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(app, name)), { recursive: true });
    writeFileSync(join(app, name), text);
  };
  write("go.mod", "module app\n\ngo 1.26\n");
  write("main.go", program(block("go")));
  write("legacy/index.js", "exports.validate = ({ items }) => ({ valid: items.length > 0 });\n");
  const env = { ...process.env, GOWORK: "off", GOFLAGS: "-mod=mod" };
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: app, env, encoding: "utf8", stdio: "pipe" });
  run("sh", "-ec", block("sh", "go get"));
  assert.equal(run("go", "run", "."), "{true}\n");
});

/** The first fenced block of a language, or the first that has some text. */
function block(language: string, text = ""): string {
  const blocks = readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"));
  const found = [...blocks].map(([, code = ""]) => code).find((code) => code.includes(text));
  assert.ok(found, `README has no ${language} block with ${text}`);
  return found;
}

function program(lines: string): string {
  return `package main

import (
	"context"
	"fmt"
	"log"

	"rootbridge"
)

type Order struct {
	Items []string \`json:"items"\`
}

type Verdict struct {
	Valid bool \`json:"valid"\`
}

func run(ctx context.Context, order Order, verdict *Verdict) error {
${lines}
	return err
}

func main() {
	var verdict Verdict
	if err := run(context.Background(), Order{[]string{"book"}}, &verdict); err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict)
}
`;
}
