import { CodecError, decodeJson, decodeValue } from "../protocol/codec.ts";
import { Code, type ErrorObject } from "../protocol/error.ts";
import {
  DEFAULT_MAX_PAYLOAD,
  Encoding,
  type FrameInPlace,
  Kind,
  MAX_PING,
  VERSION,
} from "../protocol/frame.ts";
import { hasItem } from "../protocol/list.ts";
import {
  type CallMeta,
  type Convention,
  decodeCancel,
  decodeHello,
  encodeGoaway,
  encodeHello,
  encodeReady,
  encodeStats,
  encodingOf,
  type Hello,
  type HelloOptions,
  isCallId,
  type LambdaRuntime,
  MessageError,
} from "../protocol/message.ts";
import { copyBytes, sliceText, viewOf } from "../protocol/methods.ts";
import { FrameAnswers } from "./answers.ts";
import { describeBootError, describeNeverSettled } from "./boot-error.ts";
import { Connection } from "./connection.ts";
import { capturePrints, printLog } from "./console.ts";
import { Call, shareCurrentCall } from "./current-call.ts";
import { describeExitCall, describeFatal, FAILING_GRACE, watchEndings } from "./ending.ts";
import { EntryError, resolveEntry } from "./entry.ts";
import type { Input } from "./input.ts";
import {
  Buffer,
  exitProcess,
  Module,
  max,
  nativeProcess,
  nextTurn,
  setIdleTimeout,
  setTimeout,
} from "./intrinsics.ts";
import { Invoker } from "./invoke.ts";
import { noteEnd, noteFirstCall } from "./kept-code.ts";
import { Lambda } from "./lambda.ts";
import { describeLambdaBootError } from "./lambda-error.ts";
import { type LoadedHandler, loadHandler } from "./lambda-handler.ts";
import { becomeLambda } from "./lambda-process.ts";
import { stopListening } from "./listeners.ts";
import { type Loaded, loadFile, loadHandlerFile, loadSource } from "./loader.ts";
import { MetaReader } from "./meta-reader.ts";
import { watchReplacement } from "./replacement.ts";
import { SIGNAL } from "./signal.ts";
import { describeThrown } from "./thrown.ts";
import { Usage } from "./usage.ts";

type State = "hello" | "loading" | "ready" | "draining" | "failing" | "ended";

const EMPTY: Uint8Array = Buffer.alloc(0);
/** Exit codes. */
const ENDED = 0;
const FAILED = 1;
const BROKEN = 70;
/** Lambda's name for the end of a process that has not said why. */
const EXIT_ERROR = "Runtime.ExitError";

/** One host's session: hello, loading, calls, ending. */
export class Session {
  readonly #connection: Connection;
  readonly #answers: FrameAnswers;
  readonly #metas = new MetaReader();
  readonly #file: string | undefined;
  #state: State = "hello";
  #invoker: Invoker | undefined;
  #convention: Convention = "value";
  #lambda: Lambda | undefined;
  #runtime: LambdaRuntime = "nodejs22.x";
  #rawAccept: Encoding = Encoding.Json;
  #msgpack = false;
  /** The last call that was read, 0 before any was. What comes of it, no other worker is to try it. */
  #lastId = 0;
  #entry = "";
  #usage = new Usage();
  /** SIGUSR2 came while the code was loading. */
  #asksWhenReady = false;
  #flushPrints: () => void = () => {};

  constructor(input: Input, outputDescriptor: number, file: string | undefined) {
    this.#file = file;
    this.#connection = new Connection(input, outputDescriptor, {
      onFrame: (frame) => this.#onFrame(frame),
      onBroken: (error) => this.#broken(error.message),
      onEnd: () => this.#end(ENDED),
      isBusy: () => this.#answers.inFlight > 0,
    });
    this.#answers = new FrameAnswers(
      this.#connection,
      () => this.#onAnswered(),
      (call, what) => this.#log(call, "warn", `"${call.method}" ${what}`),
    );
  }

  /** Reads a piece of input. */
  read(chunk: Uint8Array): void {
    this.#connection.read(chunk);
  }

  /** The input has ended: the host is gone. */
  end(): void {
    this.#connection.end();
  }

  #onFrame(frame: FrameInPlace): void {
    if (this.#state === "hello") {
      this.#onHello(frame);
      return;
    }
    switch (frame.kind) {
      case Kind.Call:
        this.#onCall(frame);
        break;
      case Kind.Cancel:
        this.#onCancel(frame);
        break;
      case Kind.Ping:
        this.#onPing(frame);
        break;
      case Kind.Goaway:
        this.#onGoaway();
        break;
      case Kind.Stats:
        this.#connection.send(Kind.Stats, 0, EMPTY, encodeStats(this.#usage.read()));
        break;
      case Kind.Hello:
        this.#broken("a second hello came: expected one, before anything else");
        break;
    }
  }

  #onHello(frame: FrameInPlace): void {
    if (frame.kind !== Kind.Hello) {
      this.#broken(`expected a hello first, got a frame of kind ${frame.kind}`);
      return;
    }
    try {
      this.#agree(decodeHello(frame.payload));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#broken(error.message);
    }
  }

  #agree(hello: Hello): void {
    const { options = {} } = hello;
    this.#msgpack = hasItem(hello.encodings, "msgpack");
    if (options.codec === "msgpack" && !this.#msgpack) {
      throw new MessageError("hello: expected encodings to have msgpack when codec is msgpack");
    }
    this.#answers.maxPayload = hello.maxPayload;
    this.#connection.hostMaxPayload = hello.maxPayload;
    this.#convention = options.convention ?? "value";
    this.#runtime = options.lambdaRuntime ?? "nodejs22.x";
    this.#rawAccept = encodingOf(options.codec ?? "json");
    const maxPayload = max(hello.maxPayload, DEFAULT_MAX_PAYLOAD);
    this.#connection.maxPayload = maxPayload;
    this.#sendHello(maxPayload);
    this.#state = "loading";
    void this.#load(options);
  }

  #sendHello(maxPayload: number): void {
    const payload = encodeHello({
      protocol: VERSION,
      maxPayload,
      encodings: this.#msgpack ? ["json", "raw", "msgpack"] : ["json", "raw"],
      runtime: "node",
      runtimeVersion: nativeProcess.version,
      pid: nativeProcess.pid,
    });
    this.#connection.send(Kind.Hello, 0, EMPTY, payload);
    this.#connection.flush();
  }

  /** True for a worker that is to be like Lambda's process. */
  get #isEnvironment(): boolean {
    return this.#convention === "lambda";
  }

  async #load({ source, handler }: HelloOptions): Promise<void> {
    const stuck = () => this.#bootFailed(describeNeverSettled(this.#entry));
    try {
      this.#entry = nameOf(source, handler, this.#file);
      this.#prepare();
      // While nothing but the connection is open, a top-level await that is still pending will never settle.
      this.#connection.setHoldsLoop(false);
      nativeProcess.on("beforeExit", stuck);
      const loaded = await this.#loadCode(source, handler);
      if (this.#isEnvironment) await nextTurn(); // an error that nothing caught until then is one of the start
      this.#invoker = this.#makeInvoker(loaded);
      this.#ready(this.#invoker.methods());
    } catch (error) {
      this.#bootFailed(this.#describeBootError(error, source));
    } finally {
      stopListening("beforeExit", stuck);
      this.#connection.setHoldsLoop(true);
    }
  }

  /** The last step before user code. */
  #prepare(): void {
    this.#flushPrints = capturePrints(
      (meta, payload, encoding) => this.#connection.sendLog(meta, payload, encoding),
      this.#answers.maxPayload,
    );
    shareCurrentCall((call, level, message, fields) => this.#log(call, level, message, fields));
    watchEndings({
      onFatal: (error, origin) => this.#onFatal(error, origin),
      onExitCalled: (call) => this.#onExitCalled(call),
      onExit: () => this.#onExit(),
    });
    watchReplacement(() => this.#askForReplacement());
    if (!this.#isEnvironment) return;
    becomeLambda(this.#runtime, (error, exitCode) => {
      this.#lambda?.failRunning(error);
      this.#endEnvironment(error, exitCode);
    });
  }

  #loadCode(
    source: string | undefined,
    handler: string | undefined,
  ): Promise<Loaded | LoadedHandler> {
    if (source !== undefined) return loadSource(source);
    if (handler !== undefined) return loadHandler(handler, this.#file, this.#runtime);
    if (this.#file !== undefined) {
      return this.#isEnvironment ? loadHandlerFile(resolveEntry(this.#file)) : loadFile(this.#file);
    }
    throw new EntryError("expected a FILE argument, or options.source in the host's hello");
  }

  #makeInvoker(loaded: Loaded | LoadedHandler): Invoker {
    this.#lambda = new Lambda(this.#runtime, this.#answers, {
      setHoldsLoop: (holds) => this.#connection.setHoldsLoop(holds),
      end: (reason, exitCode) => this.#endEnvironment(reason, exitCode),
    });
    const handler = "handler" in loaded ? loaded.handler : undefined;
    return new Invoker(loaded.exports, this.#answers, { lambda: this.#lambda, handler });
  }

  #describeBootError(thrown: unknown, source?: string): ErrorObject {
    return this.#isEnvironment && !(thrown instanceof EntryError)
      ? describeLambdaBootError(thrown, this.#runtime, this.#file ?? this.#entry, source)
      : describeBootError(thrown, this.#entry, source);
  }

  #ready(methods: string[]): void {
    if (this.#state !== "loading") return;
    this.#state = "ready";
    this.#usage = new Usage();
    this.#connection.send(Kind.Ready, 0, EMPTY, encodeReady({ methods }));
    if (this.#asksWhenReady) this.#askForReplacement();
    this.#connection.flush();
    // A worker that is killed writes no compile cache of its own accord.
    if (Module.getCompileCacheDir?.()) setIdleTimeout(() => Module.flushCompileCache?.(), 0);
  }

  /** A worker that is ending anyway asks for nothing. */
  #askForReplacement(): void {
    this.#asksWhenReady = this.#state === "loading";
    if (this.#state !== "ready") return;
    const goaway = encodeGoaway({ reason: SIGNAL, serving: true });
    this.#connection.send(Kind.Goaway, 0, goaway, EMPTY);
  }

  #onCall(frame: FrameInPlace): void {
    const { id } = frame;
    if (!isCallId(id) || this.#answers.find(id)) {
      this.#broken(`call ${id}: expected an id from 1 to 2147483647 that is not in flight`);
      return;
    }
    if (this.#state === "failing" || this.#state === "ended") return;
    const refusal = this.#refusal(frame);
    if (refusal) this.#connection.sendError(id, refusal);
    else this.#start(frame);
  }

  #refusal(frame: FrameInPlace): ErrorObject | undefined {
    if (this.#state === "loading") return protocolError("a call came before the worker was ready");
    if (this.#state === "draining") {
      return { code: Code.WorkerUnavailable, message: "the worker was told to end (goaway)" };
    }
    if (frame.encoding === Encoding.Reserved) return protocolError("encoding 3 is reserved");
    if (frame.encoding === Encoding.Msgpack && !this.#msgpack) {
      return protocolError("msgpack was not agreed: the host's hello must offer it");
    }
    return undefined;
  }

  #start(frame: FrameInPlace): void {
    const { id, encoding } = frame;
    const isFirst = this.#lastId === 0;
    this.#lastId = id;
    if (isFirst) noteFirstCall();
    try {
      const meta = this.#metas.read(frame);
      const argument = argumentOf(frame);
      const call = new Call(id, meta, this.#acceptOf(meta, encoding), this.#connection.arrival);
      this.#answers.add(call);
      this.#invoker?.start(call, meta.convention ?? this.#convention, argument);
    } catch (error) {
      this.#connection.sendError(id, refusalOf(error));
    }
  }

  #acceptOf(meta: CallMeta, encoding: Encoding): Encoding {
    if (meta.accept === "msgpack" && !this.#msgpack) {
      throw new MessageError("call: expected accept to be json, msgpack was not agreed");
    }
    if (meta.accept) return encodingOf(meta.accept);
    return encoding === Encoding.Raw ? this.#rawAccept : encoding;
  }

  #onCancel(frame: FrameInPlace): void {
    this.#answers.find(frame.id)?.cancel(reasonOf(frame.meta));
  }

  #onPing(frame: FrameInPlace): void {
    this.#connection.send(Kind.Pong, 0, EMPTY, viewOf(frame.payload, 0, MAX_PING), true);
  }

  #onGoaway(): void {
    if (this.#state === "loading") this.#end(ENDED);
    if (this.#state !== "ready") return;
    this.#state = "draining";
    this.#onAnswered();
  }

  #onAnswered(): void {
    if (this.#answers.inFlight > 0) return;
    if (this.#state === "draining") this.#end(ENDED);
    if (this.#state === "failing") this.#end(FAILED);
  }

  #onFatal(thrown: unknown, origin: string): void {
    if (this.#state === "loading") {
      this.#bootFailed(this.#describeBootError(thrown));
      return;
    }
    const error = describeFatal(thrown, origin);
    if (this.#isEnvironment) {
      this.#endEnvironment({ ...error, name: EXIT_ERROR, cause: describeThrown(thrown) }, FAILED);
      return;
    }
    if (this.#state === "failing") {
      this.#log(undefined, "error", error.stack ?? error.message);
      return;
    }
    this.#sayLast(error);
    this.#connection.flush();
    this.#state = "failing";
    if (this.#answers.inFlight === 0) this.#end(FAILED);
    else setTimeout(() => this.#end(FAILED), FAILING_GRACE);
  }

  /** Ends the worker at once, as an error that nothing catches ends Lambda's environment. */
  #endEnvironment(reason: ErrorObject, exitCode: number): void {
    if (this.#state === "loading") {
      this.#bootFailed({ ...reason, code: Code.BootFailed });
      return;
    }
    if (this.#state === "ended") return;
    this.#sayLast({ ...reason, code: Code.WorkerCrashed });
    this.#flushPrints();
    this.#end(exitCode);
  }

  #onExitCalled(call: Error): number | undefined {
    if (this.#state === "ended") return undefined;
    const state = this.#state;
    const loading = state === "loading";
    this.#state = "ended";
    this.#flushPrints();
    const error = describeExitCall(call, loading);
    if (this.#isEnvironment) error.name = EXIT_ERROR;
    if (state === "ready") this.#sayLast(error);
    else this.#connection.sendError(0, error);
    return loading ? FAILED : undefined;
  }

  /** Calls that were sent but not started can go to another worker: this end is not theirs. */
  #sayLast(error: ErrorObject): void {
    const goaway = { reason: sliceText(error.message, 0, 1_024), lastId: this.#lastId };
    this.#connection.send(Kind.Goaway, 0, encodeGoaway(goaway), EMPTY);
    this.#connection.sendError(0, error);
  }

  #onExit(): void {
    this.#flushPrints();
    this.#connection.flushFinally();
    noteEnd();
  }

  #bootFailed(error: ErrorObject): void {
    if (this.#state !== "loading") return;
    this.#flushPrints();
    this.#connection.sendError(0, error);
    this.#end(FAILED);
  }

  #broken(message: string): void {
    if (this.#state === "ended") return;
    // Until a hello came, a host skips whatever else comes, an error too.
    if (this.#state === "hello") this.#sendHello(DEFAULT_MAX_PAYLOAD);
    this.#connection.close();
    this.#connection.sendError(0, protocolError(message));
    this.#end(BROKEN);
  }

  #end(code: number): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#connection.close();
    this.#onExit();
    exitProcess(code);
  }

  #log(
    call: Call | undefined,
    level: "debug" | "info" | "warn" | "error",
    message: string,
    fields?: Record<string, unknown>,
  ): void {
    printLog(
      (meta, payload, encoding) => this.#connection.sendLog(meta, payload, encoding),
      call,
      level,
      message,
      fields,
    );
  }
}

function nameOf(source: string | undefined, handler: string | undefined, file = ""): string {
  if (source !== undefined) return "the source given by the host";
  return handler ?? file;
}

function protocolError(message: string): ErrorObject {
  return { code: Code.ProtocolError, message };
}

/** Most arguments are JSON, and read without a view of their own. Bytes in memory of their own are handed on as they are. */
function argumentOf(frame: FrameInPlace): unknown {
  const { encoding, payloadBytes, payloadStart, payloadEnd } = frame;
  if (encoding === Encoding.Json) return decodeJson(payloadBytes, payloadStart, payloadEnd);
  if (encoding === Encoding.Msgpack) return decodeValue(frame.payload, encoding);
  return frame.hasOwnMemory ? payloadBytes : copyBytes(payloadBytes, payloadStart, payloadEnd);
}

function refusalOf(error: unknown): ErrorObject {
  if (error instanceof MessageError) return protocolError(error.message);
  if (error instanceof CodecError) return { code: Code.InvalidArgument, message: error.message };
  throw error;
}

function reasonOf(meta: Uint8Array): "deadline_exceeded" | "canceled" {
  try {
    return decodeCancel(meta).reason;
  } catch {
    return "canceled";
  }
}
