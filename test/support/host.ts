import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Code, Host, Logger, Options, RootbridgeError } from "../../src/index.ts";
import { start } from "../../src/index.ts";

/** A file of test/fixtures/host. */
export function fixture(name: string): string {
  return join(import.meta.dirname, "..", "fixtures", "host", name);
}

/** The Node that workers of tests run on. */
export const testNode: string = process.env["ROOTBRIDGE_TEST_NODE"] ?? process.execPath;

/** Starts a host for a test. At the test's end it is closed, and every worker that it had is gone. */
export async function startHost(t: TestContext, options: Options = {}): Promise<Host> {
  const source = options.entry ?? options.source ?? options.command;
  const entry = source === undefined ? { entry: fixture("legacy.js") } : {};
  const { logger, pids } = watchWorkers(options.logger ?? silent);
  const host = await start({ node: testNode, workers: 1, ...entry, ...options, logger });
  t.after(async () => {
    await host.shutdown({ timeout: 0 }).catch(() => undefined);
    assert.deepEqual([...pids].filter(isAlive), [], "workers are left");
  });
  return host;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Collects the process ids of the workers as they become ready. */
function watchWorkers(inner: Logger): { logger: Logger; pids: Set<number> } {
  const pids = new Set<number>();
  const debug: Logger["debug"] = (fields, message) => {
    if (message === "worker ready") pids.add((fields as { worker: number }).worker);
    inner.debug(fields, message);
  };
  return { pids, logger: { ...inner, debug } };
}

/** One line that a logger got. */
export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A logger that keeps its lines. */
export function collectLogs(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const keep =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, message, fields: { ...fields } });
    };
  const logger = {
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
  };
  return { logger, lines };
}

/** Expects a RootbridgeError of a code, and returns it. */
export async function failure(promise: Promise<unknown>, code: Code): Promise<RootbridgeError> {
  const outcome = await promise.then(
    (result) => ({ result }),
    (error: RootbridgeError) => ({ error }),
  );
  if ("result" in outcome) assert.fail(`expected ${code}, got ${JSON.stringify(outcome.result)}`);
  assert.equal(outcome.error.code, code, outcome.error.stack);
  return outcome.error;
}

/** Looks again and again until a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) assert.fail(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** True for a process that runs. One that nobody has waited for yet is not alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const state = execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
    return !state.trim().startsWith("Z");
  } catch {
    return false; // also when it ended before ps looked
  }
}

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
