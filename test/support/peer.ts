import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeValue, encodeValue, loadMsgpack } from "../../protocol/codec.ts";
import { decodeError, type ErrorObject } from "../../protocol/error.ts";
import { Encoding, encodeFrame, type Frame, FrameReader, Kind } from "../../protocol/frame.ts";
import {
  type CallMeta,
  decodeLog,
  decodeReady,
  encodeCall,
  encodeHello,
  type Hello,
  type LogMeta,
} from "../../protocol/message.ts";

/** The Node that workers of tests run on. */
export const testNode: string = process.env["ROOTBRIDGE_TEST_NODE"] || process.execPath;
/** Its major version. */
export const testNodeMajor: number = Number(
  execFileSync(testNode, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }),
);
/** The worker under test. */
export const WORKER: string = fileURLToPath(
  new URL("../../go-host/internal/process/worker.cjs", import.meta.url),
);
const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));
/** Only ends a test that would hang. */
const PATIENCE = 30_000;

await loadMsgpack();

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
export interface PeerOptions {
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
  /** Start it through a shell that moves stdin and stdout to descriptors 3 and 4, as for parents with socketpairs. */
  moved?: boolean;
}

/** A log line. */
export interface Log extends LogMeta {
  text: string;
  json: boolean;
}

/** The one answer of a call. */
export interface Answer {
  frame: Frame;
  /** The decoded result; `undefined` for an error. */
  value: unknown;
  error: ErrorObject | undefined;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A host of a worker, as simple as can be: it sends frames and keeps what comes back. */
export class Peer {
  readonly frames: Frame[] = [];
  readonly logs: Log[] = [];
  stderr = "";
  /** For benchmarks: told how many answers came at once, which are then not kept. */
  onAnswers: ((count: number) => void) | undefined;
  readonly exited: Promise<Exit>;
  readonly child: ChildProcess;
  readonly #link: Link;
  readonly #reader: FrameReader;
  #wakers: (() => void)[] = [];
  #lastId = 0;
  #answers = 0;

  /** Starts a worker and waits until it is ready. */
  static async start(t: TestContext, options: PeerOptions | string): Promise<Peer> {
    const peer = Peer.spawn(t, options);
    const first = await peer.next(
      (frame) => frame.kind === Kind.Ready || frame.kind === Kind.Error,
    );
    assert.equal(first.kind, Kind.Ready, Buffer.from(first.payload).toString());
    return peer;
  }

  /** Starts a worker that is expected not to become ready, and returns its error. */
  static async failure(t: TestContext, options: PeerOptions | string): Promise<ErrorObject> {
    const peer = Peer.spawn(t, options);
    const frame = await peer.next(
      ({ kind, id }) => kind === Kind.Ready || (kind === Kind.Error && id === 0),
    );
    assert.equal(frame.kind, Kind.Error, "the worker became ready");
    assert.deepEqual(await peer.exited, { code: 1, signal: null });
    return decodeError(frame.payload);
  }

  /** Starts a worker and sends it a hello. */
  static spawn(t: TestContext, options: PeerOptions | string): Peer {
    const peer = Peer.launch(t, options);
    const { hello, source } = typeof options === "string" ? {} : options;
    const offer: Hello = {
      protocol: 1,
      maxPayload: 33_554_432,
      encodings: ["json", "msgpack", "raw"],
      ...hello,
    };
    if (source !== undefined) offer.options = { ...offer.options, source };
    peer.send({ kind: Kind.Hello, payload: encodeHello(offer) });
    return peer;
  }

  /** Starts a worker and sends it nothing. */
  static launch(t: TestContext, options: PeerOptions | string): Peer {
    const peer = new Peer(typeof options === "string" ? { file: options } : options);
    t.after(() => peer.kill());
    return peer;
  }

  private constructor(options: PeerOptions) {
    const { child, link, stderr } = startWorker(options);
    this.child = child;
    this.#link = link;
    this.#reader = new FrameReader({
      maxPayload: 2 ** 30,
      onFrame: (frame) => this.#keep(frame),
      onSkipped: () => {},
    });
    link.onData((chunk) => this.#read(chunk));
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    this.exited = exitOf(child, link, stderr);
    void this.exited.then(() => this.#wake());
  }

  #read(chunk: Buffer): void {
    this.#answers = 0;
    this.#reader.push(chunk);
    if (this.onAnswers) this.onAnswers(this.#answers);
    else this.#wake();
  }

  #keep(frame: Frame): void {
    if (this.onAnswers) {
      this.#answers += 1;
      return;
    }
    const copy = {
      ...frame,
      meta: Buffer.from(frame.meta),
      payload: Buffer.from(frame.payload),
    };
    this.frames.push(copy);
    if (frame.kind !== Kind.Log) return;
    const text = copy.payload.toString();
    this.logs.push({ ...decodeLog(copy.meta), text, json: frame.encoding === Encoding.Json });
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  /** Waits until something holds, looking whenever anything comes. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const end = performance.now() + PATIENCE;
    let gone = false;
    void this.exited.then(() => {
      gone = true;
    });
    while (!holds()) {
      if (gone || performance.now() > end) assert.fail(`waited in vain until ${what}\n${this}`);
      await Promise.race([
        new Promise<void>((resolve) => this.#wakers.push(resolve)),
        new Promise<void>((resolve) => setTimeout(resolve, PATIENCE).unref()),
      ]);
    }
  }

  /** Waits for the first frame that matches, of those that came and those that will. */
  async next(matches: (frame: Frame) => boolean): Promise<Frame> {
    await this.until(() => this.frames.some(matches), `a frame comes that ${matches}`);
    return this.frames.find(matches) as Frame;
  }

  /** Sends a frame. */
  send(frame: Partial<Frame> & { kind: number }): void {
    this.#link.write(encodeFrame(frame));
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    this.#link.write(bytes);
  }

  /** Sends a call and returns its id. */
  sendCall(
    method: string,
    argument?: unknown,
    meta: Partial<CallMeta> = {},
    encoding: Encoding = Encoding.Json,
  ): number {
    this.#lastId += 1;
    const payload = encodeValue(argument, encoding, "argument");
    this.send({
      kind: Kind.Call,
      encoding,
      id: this.#lastId,
      meta: encodeCall({ method, ...meta }),
      payload,
    });
    return this.#lastId;
  }

  /** Waits for the answer of a call. */
  async answer(id: number): Promise<Answer> {
    const frame = await this.next(
      ({ kind, id: answered }) => answered === id && (kind === Kind.Reply || kind === Kind.Error),
    );
    if (frame.kind === Kind.Error) {
      return { frame, value: undefined, error: decodeError(frame.payload) };
    }
    return { frame, value: decodeValue(frame.payload, frame.encoding), error: undefined };
  }

  /** Calls and waits for the answer. */
  ask(
    method: string,
    argument?: unknown,
    meta: Partial<CallMeta> = {},
    encoding?: Encoding,
  ): Promise<Answer> {
    return this.answer(this.sendCall(method, argument, meta, encoding));
  }

  /** Calls and returns the result; fails the test on an error. */
  async call(
    method: string,
    argument?: unknown,
    meta: Partial<CallMeta> = {},
    encoding?: Encoding,
  ): Promise<unknown> {
    const { value, error } = await this.ask(method, argument, meta, encoding);
    assert.equal(error, undefined, JSON.stringify(error, null, 2));
    return value;
  }

  /** Calls and returns the error; fails the test on a result. */
  async fail(
    method: string,
    argument?: unknown,
    meta: Partial<CallMeta> = {},
    encoding?: Encoding,
  ): Promise<ErrorObject> {
    const { value, error } = await this.ask(method, argument, meta, encoding);
    assert.ok(error, `expected an error, got ${JSON.stringify(value)}`);
    return error;
  }

  /** The methods that ready listed. */
  get methods(): string[] {
    const ready = this.frames.find(({ kind }) => kind === Kind.Ready);
    return ready ? decodeReady(ready.payload).methods : [];
  }

  /** Waits for the connection's error: one with id 0. */
  async fatal(): Promise<ErrorObject> {
    const frame = await this.next(({ kind, id }) => kind === Kind.Error && id === 0);
    return decodeError(frame.payload);
  }

  /** Waits for a log line whose text holds `part`. */
  async log(part: string): Promise<Log> {
    await this.until(
      () => this.logs.some(({ text }) => text.includes(part)),
      `"${part}" is logged`,
    );
    return this.logs.find(({ text }) => text.includes(part)) as Log;
  }

  /** Ends the worker as a host does that has no more calls, and expects that it goes well. */
  async goaway(): Promise<void> {
    this.send({ kind: Kind.Goaway });
    assert.deepEqual(await this.exited, { code: 0, signal: null }, `${this}`);
  }

  /** Stops reading what the worker writes, or goes on. */
  setReading(reads: boolean): void {
    this.#link.setReading(reads);
  }

  /** Closes the worker's stdin. */
  closeInput(): void {
    this.#link.closeInput();
  }

  /** Closes the worker's stdout, as a host does that dies. */
  closeOutput(): void {
    this.#link.closeOutput();
  }

  /** Ends the worker, whatever it does. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    this.#link.closeInput();
    this.#link.setReading(true);
    await this.exited;
    this.#link.closeOutput();
  }

  toString(): string {
    const frames = this.frames.map(
      ({ kind, id, payload }) => `  ${kind} ${id} ${Buffer.from(payload).toString().slice(0, 200)}`,
    );
    return `frames:\n${frames.join("\n")}\nstderr:\n${this.stderr.slice(0, 2000)}`;
  }
}

/** The ends of the worker's stdin and stdout that are ours. */
interface Link {
  write(bytes: Uint8Array): void;
  onData(listener: (chunk: Buffer) => void): void;
  setReading(reads: boolean): void;
  closeInput(): void;
  closeOutput(): void;
  /** Settles when the worker's stdout has ended. */
  ended: Promise<void>;
}

interface Started {
  child: ChildProcess;
  link: Link;
  stderr: net.Socket;
}

function startWorker(options: PeerOptions): Started {
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
  const move = 'exec "$@" 3<&0 4>&1 0</dev/null 1>&2';
  const shell = ["-c", move, "sh", testNode, ...args];
  const stdio = pipes.map(({ theirs }) => theirs);
  const child = options.moved
    ? spawn("sh", shell, { ...settings, stdio })
    : spawn(testNode, args, { ...settings, stdio });
  for (const { theirs } of pipes) closeSync(theirs);
  const [input, output, stderr] = pipes;
  return { child, link: new SocketLink(input.ours, output.ours), stderr: stderr.ours };
}

function environment(options: PeerOptions): NodeJS.ProcessEnv {
  const env = { ...process.env, ...options.env };
  // What the test runner tells its own children is not for workers.
  delete env["NODE_TEST_CONTEXT"];
  delete env["NODE_OPTIONS"];
  if (options.env?.["NODE_OPTIONS"]) env["NODE_OPTIONS"] = options.env["NODE_OPTIONS"];
  if (options.moved) env["ROOTBRIDGE_FDS"] = "3,4";
  return env;
}

/** Node gives its children socketpairs; Go gives pipes, and only those can be guarded. So named pipes, unlinked at once. */
function makePipe(direction: "in" | "out"): { theirs: number; ours: net.Socket } {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
  const folder = mkdtempSync(join(tmpdir(), "rootbridge-pipe-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const reading = openSync(path, O_RDONLY | O_NONBLOCK);
  const writing = openSync(path, O_WRONLY);
  rmSync(folder, { recursive: true });
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
async function exitOf(child: ChildProcess, link: Link, stderr: net.Socket): Promise<Exit> {
  const said = new Promise((resolve) => stderr.on("close", resolve));
  const exit = await new Promise<Exit>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });
  await Promise.all([link.ended, said]);
  return exit;
}
