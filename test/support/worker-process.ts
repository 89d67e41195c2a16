import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Hello } from "../../protocol/message.ts";
import { openFifo } from "./fifo.ts";

/** The Node that workers of tests run on. */
export const testNode: string = process.env["ROOTBRIDGE_TEST_NODE"] || process.execPath;
/** Its major version. */
export const testNodeMajor: number = Number(
  execFileSync(testNode, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }),
);
/** The worker under test, as hosts start it. */
export const WORKER: string = fileURLToPath(
  new URL("../../go-host/internal/process/start.cjs", import.meta.url),
);
const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));
/** The path of a file in test/fixtures. */
export function fixture(name: string): string {
  return resolve(FIXTURES, name);
}

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** How a worker is started. */
export interface WorkerOptions {
  /** File or folder to load, relative to test/fixtures. */
  file?: string;
  /** Module source to load in place of a file. */
  source?: string;
  hello?: Partial<Hello>;
  /** Arguments of node itself. */
  nodeArgs?: string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Program text for `node -e` that runs the worker, in place of its file. */
  evaluate?: string;
  /** Give the worker socketpairs for pipes, as Node does; they can't be guarded. */
  sockets?: boolean;
  /** Let it have so many descriptors at most. */
  descriptors?: number;
  /** Start it through a shell that moves stdin and stdout to descriptors 3 and 4, as for parents with socketpairs. */
  moved?: boolean;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The ends of the worker's stdin and stdout that are ours. */
export interface Link {
  write(bytes: Uint8Array): void;
  onData(listener: (chunk: Buffer) => void): void;
  setReading(reads: boolean): void;
  closeInput(): void;
  closeOutput(): void;
  /** Settles when the worker's stdout has ended. */
  ended: Promise<void>;
}

/** A worker process and our ends of its pipes. */
export interface Started {
  child: ChildProcess;
  link: Link;
  stderr: net.Socket;
}

/** Starts a worker. */
export function startWorker(options: WorkerOptions): Started {
  const file = options.file === undefined ? [] : [fixture(options.file)];
  const program = options.evaluate === undefined ? [WORKER] : ["-e", options.evaluate];
  const args = [...(options.nodeArgs ?? []), ...program, ...file];
  const settings = { cwd: options.cwd, env: environment(options) };
  if (options.sockets) {
    const child = spawn(testNode, args, { ...settings, stdio: ["pipe", "pipe", "pipe"] });
    const link = new SocketLink(child.stdin as net.Socket, child.stdout as net.Socket);
    return { child, link, stderr: child.stderr as net.Socket };
  }
  const pipes = [makePipe("in"), makePipe("out"), makePipe("out")] as const;
  const limit = options.descriptors === undefined ? "" : `ulimit -n ${options.descriptors}; `;
  const move = options.moved ? "3<&0 4>&1 0</dev/null 1>&2" : "";
  const shell = ["-c", `${limit}exec "$@" ${move}`, "sh", testNode, ...args];
  const stdio = pipes.map(({ theirs }) => theirs);
  const child =
    limit || move
      ? spawn("sh", shell, { ...settings, stdio })
      : spawn(testNode, args, { ...settings, stdio });
  for (const { theirs } of pipes) closeSync(theirs);
  const [input, output, stderr] = pipes;
  return { child, link: new SocketLink(input.ours, output.ours), stderr: stderr.ours };
}

function environment(options: WorkerOptions): NodeJS.ProcessEnv {
  const env = { ...process.env, ...options.env };
  // What the test runner tells its own children is not for workers.
  delete env["NODE_TEST_CONTEXT"];
  delete env["NODE_OPTIONS"];
  if (options.env?.["NODE_OPTIONS"]) env["NODE_OPTIONS"] = options.env["NODE_OPTIONS"];
  if (options.moved) env["ROOTBRIDGE_FDS"] = "3,4";
  return env;
}

/** Node gives its children socketpairs; Go gives pipes, and only those can be guarded. So named pipes. */
function makePipe(direction: "in" | "out"): { theirs: number; ours: net.Socket } {
  const { reading, writing } = openFifo();
  return direction === "in"
    ? { theirs: reading, ours: new net.Socket({ fd: writing, readable: false, writable: true }) }
    : { theirs: writing, ours: new net.Socket({ fd: reading, readable: true, writable: false }) };
}

class SocketLink implements Link {
  readonly ended: Promise<void>;
  readonly #input: net.Socket;
  readonly #output: net.Socket;

  constructor(input: net.Socket, output: net.Socket) {
    this.#input = input;
    this.#output = output;
    // A worker that has ended takes no more input, which many tests want to see.
    input.on("error", () => {});
    output.on("error", () => {});
    this.ended = new Promise((resolve) => output.on("close", () => resolve()));
  }

  write(bytes: Uint8Array): void {
    this.#input.write(bytes);
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.#output.on("data", listener);
  }

  setReading(reads: boolean): void {
    if (reads) this.#output.resume();
    else this.#output.pause();
  }

  closeInput(): void {
    this.#input.destroy();
  }

  closeOutput(): void {
    this.#output.destroy();
  }
}

/** Settles when the process has ended and all that it wrote is read. */
export async function exitOf(child: ChildProcess, link: Link, stderr: net.Socket): Promise<Exit> {
  const said = new Promise((resolve) => stderr.on("close", resolve));
  const exit = await new Promise<Exit>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });
  await Promise.all([link.ended, said]);
  return exit;
}
