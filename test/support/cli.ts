import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { testNode } from "./host.ts";

const root = join(import.meta.dirname, "..", "..");

/** The command line of this checkout, as arguments of Node. */
export const cli: string = join(root, "src", "cli", "main.ts");

/** How a command ended, and what it wrote. */
export interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

/** What a run may be given. */
export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string | undefined>;
  readonly nodeArgs?: readonly string[];
  readonly cwd?: string;
}

/** Where Node keeps what it compiled, so that it does so once for all runs. */
const cache = join(tmpdir(), "rootbridge-test-compile-cache");

/** Without colours, wherever the tests run. */
export const testEnvironment: Record<string, string | undefined> = {
  ...process.env,
  NO_COLOR: "1",
  NODE_COMPILE_CACHE: cache,
};

/** A command that runs. Its stdin is open. */
export function spawnCli(
  args: readonly string[],
  { env, nodeArgs = [], cwd }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const tested = args.includes("--node") || args[0]?.startsWith("-") ? [] : ["--node", testNode];
  return spawn(process.execPath, [...nodeArgs, cli, ...args, ...tested], {
    env: { ...testEnvironment, ...env },
    cwd,
    stdio: "pipe",
  });
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const child = spawnCli(args, options);
  child.stdin.on("error", () => undefined); // it may have ended before it read all
  child.stdin.end(options.input ?? "");
  const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on("exit", (code, signal) => resolve([code, signal]));
  });
  const [bytes, errors, [code, signal]] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    exited,
  ]);
  return { code, signal, bytes, stdout: bytes.toString(), stderr: errors.toString() };
}
