import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import type { TestContext } from "node:test";
import { decodeValue, encodeValue } from "../../protocol/codec.ts";
import { decodeError, type ErrorObject } from "../../protocol/error.ts";
import { Encoding, encodeFrame, type Frame, FrameReader, Kind } from "../../protocol/frame.ts";
import {
  type CallMeta,
  decodeGoaway,
  decodeLog,
  decodeReady,
  decodeStats,
  encodeCall,
  encodeHello,
  type GoawayMeta,
  type Hello,
  type LogMeta,
  type Stats,
} from "../../protocol/message.ts";
import { feed } from "./frames.ts";
import { type Exit, exitOf, type Link, startWorker, type WorkerOptions } from "./worker-process.ts";

/** Only ends a test that would hang. */
const PATIENCE = 30_000;

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
  static async start(t: TestContext, options: WorkerOptions | string): Promise<Peer> {
    const peer = Peer.spawn(t, options);
    const first = await peer.next(
      (frame) => frame.kind === Kind.Ready || frame.kind === Kind.Error,
    );
    assert.equal(first.kind, Kind.Ready, Buffer.from(first.payload).toString());
    return peer;
  }

  /** Starts a worker that is expected not to become ready, and returns its error. */
  static async failure(t: TestContext, options: WorkerOptions | string): Promise<ErrorObject> {
    const peer = Peer.spawn(t, options);
    const frame = await peer.next(
      ({ kind, id }) => kind === Kind.Ready || (kind === Kind.Error && id === 0),
    );
    assert.equal(frame.kind, Kind.Error, "the worker became ready");
    assert.deepEqual(await peer.exited, { code: 1, signal: null });
    return decodeError(frame.payload);
  }

  /** Starts a worker and sends it a hello. */
  static spawn(t: TestContext, options: WorkerOptions | string): Peer {
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
  static launch(t: TestContext, options: WorkerOptions | string): Peer {
    const peer = new Peer(typeof options === "string" ? { file: options } : options);
    t.after(() => peer.kill());
    return peer;
  }

  private constructor(options: WorkerOptions) {
    const { child, link, stderr } = startWorker(options);
    this.child = child;
    this.#link = link;
    this.#reader = new FrameReader({ maxPayload: 2 ** 30, onSkipped: () => {} });
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
    feed(this.#reader, chunk, (frame) => this.#keep(frame));
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

  /** True once the answer of a call has come. */
  answered(id: number): boolean {
    return this.frames.some(
      ({ kind, id: answered }) => answered === id && (kind === Kind.Reply || kind === Kind.Error),
    );
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

  /** Waits until the worker's loop has turned, or it has ended: with its exit code then. */
  async exitOrTurn(): Promise<number | undefined> {
    const pongs = () => this.frames.filter(({ kind }) => kind === Kind.Pong).length;
    const before = pongs();
    this.send({ kind: Kind.Ping });
    let ended: Exit | undefined;
    void this.exited.then((exit) => {
      ended = exit;
    });
    while (pongs() === before && !ended) {
      await Promise.race([this.exited, new Promise<void>((resolve) => this.#wakers.push(resolve))]);
    }
    return ended && (ended.code ?? -1);
  }

  /** Waits for a log line whose text holds `part`. */
  async log(part: string): Promise<Log> {
    await this.until(
      () => this.logs.some(({ text }) => text.includes(part)),
      `"${part}" is logged`,
    );
    return this.logs.find(({ text }) => text.includes(part)) as Log;
  }

  /** What the worker said when it wanted to be replaced, each time. */
  get goaways(): GoawayMeta[] {
    return this.#of(Kind.Goaway).map(({ meta }) => decodeGoaway(meta));
  }

  /** Waits until the worker has asked to be replaced so many times. */
  async asked(times: number): Promise<void> {
    await this.until(() => this.goaways.length >= times, `${times} goaways have come`);
  }

  /** Asks the worker what it uses. */
  async stats(): Promise<Stats> {
    const before = this.allStats.length;
    this.send({ kind: Kind.Stats });
    await this.until(() => this.allStats.length > before, "stats come");
    return this.allStats[before] as Stats;
  }

  /** What the worker said that it uses, each time. */
  get allStats(): Stats[] {
    return this.#of(Kind.Stats).map(({ payload }) => decodeStats(payload));
  }

  #of(kind: number): Frame[] {
    return this.frames.filter((frame) => frame.kind === kind);
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
