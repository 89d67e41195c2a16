import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { installNode } from "./install-node.ts";

const root = join(import.meta.dirname, "..");
const workerTests = [
  "test/bridge/**/*.test.ts",
  "test/conformance/worker-sessions.test.ts",
  "test/lambda/worker.test.ts",
];
const suites = [
  {
    name: "worker",
    cwd: root,
    command: ["node", "--test", "--test-timeout=120000", ...workerTests],
  },
  { name: "Go host", cwd: join(root, "go-host"), command: ["go", "test", ...race(), "./..."] },
  {
    name: "sidecar",
    cwd: join(root, "go-host", "cmd", "rootbridged"),
    command: ["go", "test", ...race(), "."],
  },
];

/** Runs the tests that start workers on each Node major named on the command line. */
function main(): void {
  const failed = process.argv.slice(2).flatMap(runAll);
  if (failed.length === 0) return;
  process.stderr.write(`failed: ${failed.join(", ")}\n`);
  process.exitCode = 1;
}

function runAll(major: string): string[] {
  const node = installNode(major);
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  return suites
    .filter((suite) => !passes(suite, node, version))
    .map((suite) => `${suite.name} on Node ${version}`);
}

function passes(suite: (typeof suites)[number], node: string, version: string): boolean {
  process.stdout.write(`== ${suite.name} on Node ${version}\n`);
  const [program = "", ...args] = suite.command;
  const env = { ...process.env, ROOTBRIDGE_TEST_NODE: node };
  const { status } = spawnSync(program, args, { cwd: suite.cwd, env, stdio: "inherit" });
  return status === 0;
}

function race(): string[] {
  const cgo = execFileSync("go", ["env", "CGO_ENABLED"], { encoding: "utf8" }).trim();
  return cgo === "1" ? ["-race"] : [];
}

main();
