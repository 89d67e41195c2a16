import type { Readable, Writable } from "node:stream";
import {
  Encoding,
  encodeFrame,
  type Frame,
  FrameError,
  FrameReader,
  HEADER_SIZE,
  Kind,
  MAX_CALL_ID,
  MAX_HELLO,
  MAX_PING,
  MAX_UNWRITTEN_PONGS,
  writeHeader,
} from "../protocol/frame.ts";
import {
  type CancelMeta,
  decodeGoaway,
  decodeLog,
  encodeCancel,
  type GoawayMeta,
  type LogMeta,
} from "../protocol/message.ts";

/** What a connection tells its owner. Views of a frame are valid only during the call. */
export interface ConnectionHandler {
  /** A hello or ready frame. */
  boot(frame: Frame): void;
  log(meta: LogMeta, encoding: Encoding, payload: Uint8Array): void;
  /** An error frame that is about the connection. */
  fatal(payload: Uint8Array): void;
  /** The worker wants to be replaced. If it is serving it still takes calls, until the host's goaway. */
  goaway(meta: GoawayMeta): void;
  /** What was printed on the worker's stdout before its hello. */
  skipped(bytes: Uint8Array): void;
  /** The worker's output is over: with a reason for broken framing, without one for its end. */
  ended(reason: Error | undefined): void;
}

/** One call in flight. Exactly one of `answer`, `notStarted` and `fail` is called, unless it was abandoned. */
export interface InFlight {
  /** It goes on when its caller has canceled it: `quiet` waits for it nevertheless. */
  readonly lasts: boolean;
  answer(frame: Frame): void;
  /** The worker has not begun the call and will not. */
  notStarted(): void;
  fail(reason: Error): void;
  /** The call's id is free again. Called in every case, once, before the others. */
  settled(): void;
}

interface Entry {
  readonly call: InFlight;
  abandoned: boolean;
  /** Abandoned, and `quiet` waits for it. */
  lingers: boolean;
}

/**
 * Multiplexes calls over a worker's streams: it gives ids, writes frames together, and hands each
 * answer to exactly the call that it belongs to.
 */
export class Connection {
  /** Answers to calls so far. Only they show that the worker's loop turns: one without end can print. */
  answers = 0;
  /** Answers dropped because nobody waited for them any more. */
  late = 0;
  /** Frames skipped because they belonged to nothing. */
  strays = 0;
  /** Largest payload that the worker accepts, from its hello. */
  peerMaxPayload: number = MAX_HELLO;

  readonly #input: Writable;
  readonly #reader: FrameReader;
  readonly #handler: ConnectionHandler;
  readonly #calls = new Map<number, Entry>();
  readonly #onQuiet: (() => void)[] = [];
  readonly #onPong: (() => void)[] = [];
  #lastId = 0;
  #abandoned = 0;
  /** Of the abandoned, those that `quiet` waits for. */
  #lingering = 0;
  #leaving = false;
  #failure: Error | undefined;
  #corked = false;
  #unwrittenPongs = 0;

  constructor(input: Writable, output: Readable, handler: ConnectionHandler) {
    this.#input = input;
    this.#handler = handler;
    this.#reader = new FrameReader({ onSkipped: (bytes) => handler.skipped(bytes) });
    output.on("data", (chunk: Uint8Array) => this.#read(() => this.#readFrames(chunk)));
    output.once("end", () => this.#end());
    output.once("error", () => this.#end());
  }

  /** Largest payload accepted from the worker from the next frame on, in bytes. */
  set maxPayload(bytes: number) {
    this.#reader.maxPayload = bytes;
  }

  /** Calls that somebody waits for. */
  get waiting(): number {
    return this.#calls.size - this.#abandoned;
  }

  /** Calls that nobody waits for any more and that still run. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** False once the worker takes no calls any more. */
  get open(): boolean {
    return !this.#leaving && this.#failure === undefined && this.#input.writable;
  }

  /** Sends a call on an open connection and returns its id. */
  send(call: InFlight, meta: Uint8Array, encoding: Encoding, payload: Uint8Array): number {
    const id = this.#nextId();
    this.#calls.set(id, { call, abandoned: false, lingers: false });
    this.#write({ kind: Kind.Call, encoding, id, meta, payload });
    return id;
  }

  /** Says that nobody waits for a call any more. Its answer will be dropped and counted. */
  abandon(id: number, reason: CancelMeta["reason"]): void {
    const entry = this.#calls.get(id);
    if (entry === undefined) return;
    entry.abandoned = true;
    this.#abandoned++;
    entry.lingers = entry.call.lasts && reason === "canceled";
    if (entry.lingers) this.#lingering++;
    this.#write({ kind: Kind.Cancel, id, meta: encodeCancel({ reason }) });
    this.#tellQuiet();
  }

  /** Sends the host's hello. */
  hello(payload: Uint8Array): void {
    this.#write({ kind: Kind.Hello, payload });
  }

  /** Settles when the worker has seen all that was sent before, or the connection has ended. */
  ping(): Promise<void> {
    this.#write({ kind: Kind.Ping });
    return new Promise((resolve) => {
      if (this.#failure) resolve();
      else this.#onPong.push(resolve);
    });
  }

  /** Tells the worker to finish what it runs and to end. No call can be sent after it. */
  goaway(): void {
    this.#leaving = true;
    this.#write({ kind: Kind.Goaway });
  }

  /** Settles once nobody waits for a call on this connection, and none lasts. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet.push(resolve);
      this.#tellQuiet();
    });
  }

  /**
   * Ends the connection: every call in flight fails with `reason`. Only the first one counts. Returns
   * how many calls fail that somebody waits for.
   */
  fail(reason: Error): number {
    if (this.#failure) return 0;
    const { waiting } = this;
    this.#failure = reason;
    this.#reader.close();
    for (const [id, entry] of this.#calls) this.#take(id, entry)?.fail(reason);
    this.#tellQuiet();
    for (const tell of this.#onPong.splice(0)) tell();
    return waiting;
  }

  #read(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#handler.ended(error);
    }
  }

  #readFrames(chunk: Uint8Array): void {
    this.#reader.feed(chunk);
    for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) this.#dispatch(frame);
  }

  #end(): void {
    this.#read(() => {
      this.#reader.end();
      this.#handler.ended(undefined);
    });
  }

  #dispatch(frame: Frame): void {
    switch (frame.kind) {
      case Kind.Hello:
      case Kind.Ready:
        this.#handler.boot(frame);
        break;
      case Kind.Reply:
        this.#answer(frame);
        break;
      case Kind.Error:
        this.#fail(frame);
        break;
      case Kind.Log:
        this.#log(frame);
        break;
      case Kind.Ping:
        this.#pong(frame.payload);
        break;
      case Kind.Pong:
        this.#onPong.shift()?.();
        break;
      case Kind.Goaway:
        this.#goaway(frame);
        break;
      default:
        this.strays++;
    }
  }

  #fail(frame: Frame): void {
    if (frame.id === 0) this.#handler.fatal(frame.payload);
    else this.#answer(frame);
  }

  #pong(payload: Uint8Array): void {
    if (payload.length > MAX_PING) {
      this.strays++;
      return;
    }
    if (this.#unwrittenPongs >= MAX_UNWRITTEN_PONGS) {
      throw new FrameError(
        `expected the worker to read its pongs, ${MAX_UNWRITTEN_PONGS} of them wait to be written`,
      );
    }
    this.#unwrittenPongs++;
    this.#write({ kind: Kind.Pong, payload }, this.#pongWritten);
  }

  readonly #pongWritten = (): void => {
    this.#unwrittenPongs--;
  };

  #answer(frame: Frame): void {
    const entry = this.#calls.get(frame.id);
    if (entry === undefined) {
      this.strays++;
      return;
    }
    this.answers++;
    const call = this.#take(frame.id, entry);
    if (call === undefined) this.late++;
    else call.answer(frame);
    this.#tellQuiet();
  }

  /** A line is worth more than its meta. */
  #log(frame: Frame): void {
    let meta: LogMeta = { level: "info", source: "stdout" };
    try {
      meta = decodeLog(frame.meta);
    } catch {
      this.strays++;
    }
    this.#handler.log(meta, frame.encoding, frame.payload);
  }

  #goaway(frame: Frame): void {
    let meta: GoawayMeta;
    try {
      meta = decodeGoaway(frame.meta);
    } catch (cause) {
      throw new FrameError("a goaway whose meta is not as section 9 of the protocol says", {
        cause,
      });
    }
    if (meta.serving) {
      this.#handler.goaway(meta);
      return;
    }
    this.#leaving = true;
    this.#handler.goaway(meta);
    if (meta.lastId === undefined) return;
    for (const [id, entry] of this.#calls) {
      if (isAfter(id, meta.lastId)) this.#take(id, entry)?.notStarted();
    }
    this.#tellQuiet();
  }

  /** Makes a call leave the connection. Returns it if somebody waits for it. */
  #take(id: number, entry: Entry): InFlight | undefined {
    this.#calls.delete(id);
    if (entry.abandoned) this.#abandoned--;
    if (entry.lingers) this.#lingering--;
    entry.call.settled();
    return entry.abandoned ? undefined : entry.call;
  }

  #tellQuiet(): void {
    if (this.waiting + this.#lingering > 0) return;
    for (const tell of this.#onQuiet.splice(0)) tell();
  }

  #nextId(): number {
    do {
      this.#lastId = (this.#lastId % MAX_CALL_ID) + 1;
    } while (this.#calls.has(this.#lastId));
    return this.#lastId;
  }

  /** Frames of one turn of the event loop leave in one write. A payload is not copied. */
  #write(frame: Partial<Frame> & { kind: number }, written?: () => void): void {
    if (this.#failure || !this.#input.writable) return;
    this.#cork();
    const { payload } = frame;
    if (payload === undefined || payload.length < copyLimit) {
      this.#input.write(encodeFrame(frame), written);
      return;
    }
    const { kind, encoding = Encoding.Json, id = 0, meta = noBytes } = frame;
    const head = new Uint8Array(HEADER_SIZE + meta.length);
    writeHeader(head, 0, kind, encoding, id, meta.length, payload.length);
    head.set(meta, HEADER_SIZE);
    this.#input.write(head);
    this.#input.write(payload);
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#input.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#input.uncork();
    });
  }
}

/** Payloads from here on, in bytes, are written as they are in place of being copied into a frame. */
const copyLimit = 16_384;
const noBytes: Uint8Array = new Uint8Array(0);

/** Tells whether id was given after last: ids ascend and wrap, and far fewer than half are in flight. */
function isAfter(id: number, last: number): boolean {
  return id !== last && ((id - last) & MAX_CALL_ID) < MAX_CALL_ID / 2;
}
