import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { decodeValue } from "../../protocol/codec.ts";
import { Encoding } from "../../protocol/frame.ts";
import { testEnvironment } from "./cli.ts";
import { testNode } from "./host.ts";
import {
  allowOnly,
  bytes,
  type Case,
  type Context,
  describe,
  encodeFrames,
  expectFrames,
  Inbox,
  Splitter,
  valueDiffers,
} from "./vectors.ts";
import { WORKER } from "./worker-process.ts";

/** A script that plays a host, or a shell, against a real worker. */
export interface WorkerSession extends Case {
  /** Text of the ES module that the worker loads, or its lines. */
  readonly source?: string | readonly string[];
  readonly steps: readonly Step[];
}

/** Keys of a case, for readCases. */
export const workerKeys: readonly string[] = ["source", "steps"];

/** One step: an object with one key. */
export type Step = Readonly<Record<string, unknown>>;

/** A worker process as a script sees it: what it reads and what it wrote. */
interface Peer {
  readonly input: Writable;
  readonly inbox: Inbox;
  readonly lines: Lines;
  readonly stderr: string[];
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  readonly source: string;
  readonly context: Context;
  signal(name: NodeJS.Signals): void;
}

/** The text of a session's module. */
export function sourceOf({ source = "" }: WorkerSession): string {
  return typeof source === "string" ? source : source.join("\n");
}

/**
 * How to start a worker that reads frames, or lines when it is given a file. Node gives its children sockets, which a
 * worker can't move out of the way of user code: a shell hands them over where it expects the protocol then.
 */
export function workerCommand(...file: readonly string[]): readonly string[] {
  if (process.platform === "win32") return [testNode, WORKER, ...file];
  const script = 'ROOTBRIDGE_FDS=3,4 exec "$@" 3<&0 4>&1 0</dev/null 1>&2';
  return ["/bin/sh", "-c", script, "sh", testNode, WORKER, ...file];
}

/**
 * Plays a script against a worker, started by `command`. Rejects with what came otherwise, also when `signal` says that
 * it has taken too long.
 */
export async function playWorkerSession(
  session: WorkerSession,
  command: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const [first = "", ...args] = command;
  const worker = spawn(first, args, { stdio: "pipe", env: testEnvironment });
  signal.addEventListener("abort", () => worker.kill("SIGKILL"), { once: true });
  try {
    const peer = connect(worker, session);
    const last = session.steps.at(-1) ?? {};
    const ending: readonly Step[] =
      "expect_exit" in last || "expect_stderr" in last
        ? []
        : [{ close_stdin: true }, { expect_exit: 0 }];
    for (const [i, step] of [...session.steps, ...ending].entries()) {
      await play(step, peer).catch((error) => {
        const said = `step ${i + 1}: ${error.message}\nstderr:\n${peer.stderr.join("")}`;
        throw new Error(said, { cause: error });
      });
    }
  } finally {
    worker.kill("SIGKILL");
  }
}

function connect(worker: ChildProcessWithoutNullStreams, session: WorkerSession): Peer {
  const inbox = new Inbox();
  const lines = new Lines();
  const stderr: string[] = [];
  readFrames(worker.stdout, inbox, lines);
  worker.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  worker.stdin.on("error", () => undefined); // a worker may end before it has read everything
  const names = new Map<string, number>();
  return {
    input: worker.stdin,
    inbox,
    lines,
    stderr,
    exited: once(worker, "close").then(([code, signal]) => ({ code, signal })),
    source: sourceOf(session),
    signal: (name) => void worker.kill(name),
    context: {
      names,
      idOf: (name) => names.get(name) ?? Number.NaN,
      decode: (payload) => decodeValue(payload, Encoding.Msgpack),
    },
  };
}

/** The first byte tells lines from frames. */
function readFrames(output: Readable, inbox: Inbox, lines: Lines): void {
  const splitter = new Splitter((frame) => inbox.add(frame));
  let isText: boolean | undefined;
  output.on("data", (chunk: Buffer) => {
    isText ??= chunk[0] !== 0xff;
    if (isText) lines.push(chunk.toString("latin1"));
    else guarded(inbox, () => splitter.push(chunk));
  });
  output.on("end", () => {
    lines.end();
    guarded(inbox, () => splitter.end());
    inbox.end();
  });
}

function guarded(inbox: Inbox, read: () => void): void {
  try {
    read();
  } catch (error) {
    inbox.end(error as Error);
  }
}

/** Lines that came, as bytes in latin1, until they are decoded. */
class Lines {
  #rest = "";
  #ended = false;
  #wake: () => void = () => undefined;

  push(text: string): void {
    this.#rest += text;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The next line, or undefined at the end. */
  async next(): Promise<string | undefined> {
    while (!this.#ended && !this.#rest.includes("\n")) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#rest === "") return undefined;
    const end = this.#rest.indexOf("\n");
    if (end < 0) throw new Error(`a line without its end: ${this.#rest}`);
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return Buffer.from(line, "latin1").toString();
  }
}

type Player = (value: never, peer: Peer) => unknown;

const players: Readonly<Record<string, Player>> = {
  open: openSession,
  send: (frames: object, { input }) => input.write(encodeFrames(frames)),
  send_hex: (hex: string, { input }) => input.write(bytes(hex)),
  send_text: (text: string, { input }) => input.write(text),
  expect: (pattern: object, { inbox, context }) => expectFrames(inbox, [pattern], context),
  expect_unordered: (patterns: object[], { inbox, context }) =>
    expectFrames(inbox, patterns, context),
  expect_line: expectLine,
  signal: (name: NodeJS.Signals, { signal }) => signal(name),
  close_stdin: (_: true, { input }) => input.end(),
  expect_exit: expectExit,
  expect_stderr: (parts: string[], { stderr }) =>
    differ({ $has: parts }, stderr.join(""), "stderr"),
};

async function play(step: Step, peer: Peer): Promise<void> {
  const [[name, value], more] = Object.entries(step) as [[string, unknown], unknown];
  const player = players[name];
  if (player === undefined || more !== undefined) {
    throw new Error(`expected a step with one of the keys ${Object.keys(players).join(", ")}`);
  }
  await player(value as never, peer);
}

/** Sends a hello and expects those of the worker, up to ready. */
async function openSession(hello: Record<string, unknown>, peer: Peer): Promise<void> {
  allowOnly("open", hello, ["max_payload", "encodings", "convention", "codec"]);
  const { max_payload = 33_554_432, encodings = ["json", "msgpack", "raw"], ...options } = hello;
  const value = {
    protocol: 1,
    max_payload,
    encodings,
    options: { ...options, source: peer.source },
  };
  peer.input.write(encodeFrames({ kind: "hello", value }));
  await expectFrames(peer.inbox, [{ kind: "hello" }], peer.context);
  await expectFrames(peer.inbox, [{ kind: "ready" }], peer.context);
}

async function expectLine(pattern: Record<string, unknown>, { lines }: Peer): Promise<void> {
  allowOnly("expect_line", pattern, ["value", "part"]);
  const line = await lines.next();
  if (line === undefined) throw new Error("the lines have ended");
  const partly = pattern["value"] === undefined;
  differ(partly ? pattern["part"] : pattern["value"], JSON.parse(line), "line", partly);
}

function differ(expected: unknown, value: unknown, path: string, partly = false): void {
  const difference = valueDiffers(expected, value, path, partly);
  if (difference !== undefined) throw new Error(difference);
}

/** Nothing more may come: a frame that was not expected is as wrong as one that is missing. */
async function expectExit(code: number | string, { inbox, lines, exited }: Peer): Promise<void> {
  const exit = await exited;
  const frame = await inbox.next();
  if (frame) throw new Error(`expected no more frames, got ${describe(frame)}`);
  const line = await lines.next();
  if (line !== undefined) throw new Error(`expected no more lines, got ${line}`);
  const got = exit.signal ?? exit.code;
  if (got !== code) throw new Error(`expected the exit ${code}, got ${got}`);
}
