import { setImmediate } from "node:timers/promises";
import { type Frame, FrameError, Kind } from "../protocol/frame.ts";
import {
  type CancelMeta,
  decodeHello,
  decodeReady,
  encodeCall,
  type GoawayMeta,
  type Hello,
  type LogMeta,
  type Ready,
} from "../protocol/message.ts";
import { Connection, type ConnectionHandler, type InFlight } from "./connection.ts";
import { type ErrorObject, parseError, RootbridgeError } from "./error.ts";
import type { Generation } from "./generation.ts";
import { checkHello } from "./hello.ts";
import { LineCutter } from "./line-cutter.ts";
import type { WorkerLog } from "./log.ts";
import type { Logger } from "./logger.ts";
import type { Settings } from "./options.ts";
import { Probe } from "./probe.ts";
import type { Request } from "./request.ts";
import { type Exit, spawnWorker, type WorkerProcess } from "./worker-process.ts";

/** What a worker needs of its host. */
export interface Surroundings {
  readonly settings: Settings;
  /** The payload of the host's hello. */
  readonly hello: Uint8Array;
  readonly logger: Logger;
  readonly log: WorkerLog;
  /** Aborted when the host no longer starts workers. */
  readonly life: AbortSignal;
}

/** What a worker does to its place in the pool. */
export interface Place {
  /** It takes no further calls. */
  drain(): void;
  /** It takes none until `resume`. */
  pause(): void;
  resume(): void;
}

const nowhere: Place = { drain() {}, pause() {}, resume() {} };

/** Rejects a call that the worker has not begun and will not: it may go to another worker. */
export const notBegun: Error = new Error("the worker takes no calls any more");

/** Time in milliseconds between two looks whether the worker still reads, at least. */
const shortestBeat = 100;

/** Lambda's longest time in milliseconds: of invocations without a bound. */
const longestInvocation = 900_000;

/** How long, in milliseconds, the output of a process that has ended is still read. */
const drainTime = 500;

/** One worker process and its connection, from spawn to end. */
export class Worker {
  readonly generation: Generation;
  readonly process: WorkerProcess;
  readonly connection: Connection;
  /** Rejects when the worker ends before it is ready, or breaks the protocol. */
  readonly ready: Promise<Ready>;
  /** Settles with the reason for which the worker should be replaced. */
  readonly retired: Promise<string>;
  /** Settles when the process is gone and every call on it has failed. */
  readonly ended: Promise<void>;
  /** Its hello, once it has come. */
  hello: Hello | undefined;
  /** What it said just before its end. */
  fatal: RootbridgeError | undefined;
  /** Calls sent to it. */
  calls = 0;
  /** Calls that failed because it ended. */
  victims = 0;
  /** True once it has answered any call. */
  served = false;
  /** Its place among the workers, once it has one. */
  place: Place = nowhere;

  readonly #around: Surroundings;
  /** What comes on its stdout before its hello. */
  readonly #printed = new LineCutter((line) => this.#around.log.printed(this.pid, line));
  readonly #probe: Probe;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #retired = Promise.withResolvers<string>();
  readonly #over = Promise.withResolvers<Error | undefined>();
  #killed: RootbridgeError | undefined;
  /** Settles when the next call may be sent by `runInTurn`. */
  #turn: Promise<void> = Promise.resolve();
  /** Calls that wait for their turn. */
  #unsent = 0;
  /** Method of a call that became overdue while its loop was under suspicion. */
  #overdue: string | undefined;

  constructor(around: Surroundings, generation: Generation) {
    this.#around = around;
    this.generation = generation;
    this.process = spawnWorker(around.settings, generation, (line) => around.log.stderr(line));
    this.ready = this.#ready.promise;
    this.retired = this.#retired.promise;
    this.ended = this.#over.promise.then((reason) => this.#finish(reason));
    const { input, output, exited } = this.process;
    this.connection = new Connection(input, output, this.#handler());
    this.#probe = new Probe(this.connection, around.settings.killGrace);
    input.on("error", () => this.#unwritable());
    const beat = setInterval(
      () => this.#touch(),
      Math.max(shortestBeat, around.settings.killGrace),
    );
    beat.unref();
    void this.ended.then(() => clearInterval(beat));
    // A descendant that left the group may hold the output open: it has nothing to say.
    void exited.then(() => setTimeout(() => this.#over.resolve(undefined), drainTime).unref());
  }

  /** The worker's process id. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /**
   * Sends a request and settles with its result, with the error of the answer, of the worker's end
   * or of the request's signal, or with `notBegun`. `release` is called once, when the place is
   * free: perhaps long after the promise has settled.
   */
  run(request: Request, release: () => void): Promise<unknown> {
    const refusal = this.#refusal(request);
    if (refusal) {
      release();
      return Promise.reject(refusal);
    }
    const { signal } = request;
    let end: NodeJS.Timeout | undefined;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const reason = signal.reason as RootbridgeError;
        this.connection.abandon(id, reason.code as CancelMeta["reason"]);
        reject(reason);
        end = this.#leaveBehind(request, reason);
      };
      const settled = (): void => {
        clearTimeout(end);
        signal.removeEventListener("abort", leave);
        release();
      };
      const answer = (frame: Frame): void => {
        this.served = true;
        try {
          request.repliedBy(this.generation.number, this.pid, frame);
          resolve(request.take(frame));
        } catch (error) {
          reject(error);
        }
      };
      const notStarted = (): void => {
        request.sent = false;
        reject(notBegun);
      };
      const lasts = request.meta.lambda !== undefined;
      const inFlight = { lasts, settled, answer, fail: reject, notStarted };
      const id = this.#send(request, inFlight);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Like `run`, but sends only when the worker's loop has turned since the call before. */
  async runInTurn(request: Request, release: () => void): Promise<unknown> {
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    this.#unsent++;
    await Promise.race([before, aborted(request.signal)]);
    this.#unsent--;
    const result = this.run(request, release);
    void this.connection.ping().then(turn.resolve);
    return result;
  }

  /** Settles once nobody waits for a call on this worker, be it sent or about to be, and none lasts. */
  async quiet(): Promise<void> {
    await setImmediate(); // who was just given a place here sends its call first
    do {
      await this.#turn;
      await this.connection.quiet();
    } while (this.#unsent > 0);
  }

  /** Ends the worker at once. Only the first reason counts. */
  kill(reason: RootbridgeError): void {
    this.#killed ??= reason;
    this.process.kill("SIGKILL");
  }

  /** Ends the worker like `stop`. Calls that are still on it fail with `worker_crashed` and say why. */
  cutOff(message: string): Promise<void> {
    this.#killed ??= this.#sign({ code: "worker_crashed", message });
    return this.stop();
  }

  /** Ends the worker in order: goaway, end of stdin, TERM after `killGrace`, KILL after another. */
  async stop(): Promise<void> {
    const { killGrace } = this.#around.settings;
    this.connection.goaway();
    this.process.input.end();
    if (!(await this.#exitsWithin(killGrace))) this.process.kill("SIGTERM");
    if (!(await this.#exitsWithin(killGrace))) this.process.kill("SIGKILL");
    await this.ended;
  }

  /** Why the process has ended. To be asked after that. */
  async epitaph(): Promise<RootbridgeError> {
    if (this.#killed) return this.#killed;
    if (this.#around.life.aborted) {
      return this.#sign({
        code: "closed",
        message: "the host was closed before the call had ended; it may have run",
      });
    }
    if (this.fatal) return this.fatal;
    return this.#sign({
      code: "worker_crashed",
      message: `the worker process ended during the call (${describeExit(await this.process.exited)}); the function may have run`,
    });
  }

  #handler(): ConnectionHandler {
    const { log } = this.#around;
    return {
      boot: (frame) => this.#boot(frame),
      log: (meta, encoding, payload) => {
        log.frame(this.pid, meta, encoding, payload);
        this.#keepWords(meta, payload);
      },
      skipped: (bytes) => this.#printed.write(bytes),
      fatal: (payload) => this.#die(payload),
      goaway: (meta) => this.#goaway(meta),
      ended: (reason) => this.#over.resolve(reason),
    };
  }

  #refusal(request: Request): unknown {
    if (request.signal.aborted) return request.signal.reason;
    if (!this.connection.open) return notBegun;
    if (request.isOver()) return request.signal.reason;
    return request.tooLargeFor(this.connection.peerMaxPayload);
  }

  #send(request: Request, inFlight: InFlight): number {
    const { deadline, meta, encoding, payload } = request;
    request.sent = true;
    const left = Math.max(1, Math.ceil(deadline - performance.now()));
    const timed = deadline === Number.POSITIVE_INFINITY ? meta : { ...meta, timeout: left };
    this.calls++;
    return this.connection.send(inFlight, encodeCall(timed), encoding, payload);
  }

  /** Reads hello, then ready. */
  #boot(frame: Frame): void {
    try {
      if (frame.kind === Kind.Ready && this.hello) this.#ready.resolve(decodeReady(frame.payload));
      else if (frame.kind === Kind.Hello && !this.hello) this.#meet(decodeHello(frame.payload));
      else throw new FrameError(this.hello ? "a second hello" : "ready before hello");
    } catch (error) {
      this.#ready.reject(error);
      throw error instanceof FrameError ? error : new FrameError(String(error), { cause: error });
    }
  }

  #meet(hello: Hello): void {
    this.#printed.end();
    checkHello(hello, this.#around.settings);
    this.hello = hello;
    this.connection.peerMaxPayload = hello.maxPayload;
    this.connection.maxPayload = this.#around.settings.maxPayload;
  }

  /** What JavaScript prints on stderr comes as lines of the log, and never at the process's own stderr. */
  #keepWords({ level, source }: LogMeta, payload: Uint8Array): void {
    const isWarning = level === "warn" || level === "error";
    if (!(source === "stderr" || (source === "console" && isWarning))) return;
    this.process.keepLine(decoder.decode(payload));
  }

  /** Keeps the worker's last words for the calls that die with it. */
  #die(payload: Uint8Array): void {
    const fatal = this.#sign(parseError(payload));
    this.fatal ??= fatal;
    this.#ready.reject(fatal);
  }

  /** One that goes on serving keeps its place until its replacement is ready. */
  #goaway(meta: GoawayMeta): void {
    if (!meta.serving) this.place.drain();
    this.#retired.resolve(`it asked to be replaced: ${meta.reason}`);
  }

  /** While calls run nothing else may be written for long, and only a write tells that nobody reads. */
  #touch(): void {
    if (this.connection.waiting > 0) void this.connection.ping();
  }

  /** A worker that closed its stdin is killed: the calls in flight on it could wait for ever. */
  #unwritable(): void {
    this.place.drain();
    const message = "the worker closed its stdin and was killed; the function may have run";
    const kill = (): void => this.kill(this.#sign({ code: "worker_crashed", message }));
    const timer = setTimeout(kill, this.#around.settings.killGrace);
    void this.ended.then(() => clearTimeout(timer));
  }

  async #finish(reason: Error | undefined): Promise<void> {
    this.place.drain();
    const { killGrace } = this.#around.settings;
    // A worker that died while it wrote a frame has crashed; one that lives on has broken the protocol.
    const died = isTruncated(reason) && (await this.#exitsWithin(killGrace));
    if (reason && !died) this.kill(this.#brokenError(reason));
    if (!(await this.#exitsWithin(killGrace))) this.process.kill("SIGKILL");
    await this.process.exited;
    const epitaph = await this.epitaph();
    if (!this.hello) this.#printed.end();
    this.#ready.reject(epitaph);
    this.victims = this.connection.fail(epitaph);
    this.process.discard();
  }

  #brokenError(cause: Error): RootbridgeError {
    const message = `the worker broke the protocol and was killed: ${cause.message}; the function may have run`;
    return this.#sign({ code: "protocol_error", message }, cause);
  }

  async #exitsWithin(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, milliseconds, false);
    });
    const exited = this.process.exited.then(() => true);
    return Promise.race([exited, late]).finally(() => clearTimeout(timer));
  }

  /**
   * Finds out, after a call became overdue or was given up, whether the worker's loop still turns;
   * until it is known the worker gets no new calls. A loop that does not turn for `killGrace` is
   * killed, but not because of a call that was given up while somebody waits for another on it. One
   * that turns keeps its other calls.
   */
  #suspect(method: string, overdue: boolean): void {
    if (overdue) this.#overdue = method;
    this.#ask(method, () => this.#trust());
  }

  #ask(method: string, alive: () => void): void {
    if (this.#probe.asking) return;
    this.place.pause();
    this.#probe.ask({ alive, blocked: () => this.#onBlocked(method) });
  }

  #onBlocked(method: string): boolean {
    if (this.#overdue === undefined && this.connection.waiting > 0) return true;
    this.#killBlocked(this.#overdue ?? method);
    return false;
  }

  /** Abandoned calls get as long as a blocked loop would to end by themselves. */
  #trust(): void {
    this.#resume();
    const timer = setTimeout(() => this.#retireIfClogged(), this.#around.settings.killGrace);
    timer.unref();
  }

  #resume(): void {
    this.#overdue = undefined;
    this.place.resume();
  }

  #killBlocked(method: string): void {
    const { killGrace } = this.#around.settings;
    const message = `the worker was killed: a call of "${method}" on it was overdue or given up and its event loop was blocked for ${killGrace} ms (option killGrace); the function may have run`;
    this.#around.logger.warn(
      { worker: this.pid, method, killGrace },
      "killing a worker whose event loop is blocked",
    );
    this.kill(this.#sign({ code: "worker_crashed", message }));
  }

  /** An invocation of a Lambda handler has its whole time, and ends its environment then, as on Lambda. */
  #leaveBehind({ meta, deadline }: Request, reason: RootbridgeError): NodeJS.Timeout | undefined {
    const overdue = reason.code === "deadline_exceeded";
    if (!meta.lambda) this.#suspect(meta.method, overdue);
    else if (overdue) this.#endEnvironment(meta.method);
    else return this.#endLater(meta.method, deadline);
    return undefined;
  }

  /** A loop that does not turn is not waited for. */
  #endLater(method: string, deadline: number): NodeJS.Timeout {
    this.#ask(method, () => this.#resume());
    const left = Math.min(longestInvocation, deadline - performance.now());
    return setTimeout(() => this.#endEnvironment(method), left).unref();
  }

  #endEnvironment(method: string): void {
    this.place.pause();
    this.#retired.resolve(`an invocation of "${method}" on it was overdue`);
    const message = `the worker was killed: an invocation of "${method}" on it was overdue, which ends its environment (convention lambda); the function may have run`;
    this.kill(this.#sign({ code: "worker_crashed", message }));
  }

  /** Replaces a worker when half of its places or more hold abandoned calls. */
  #retireIfClogged(): void {
    const { concurrency } = this.#around.settings;
    const { abandoned } = this.connection;
    if (2 * abandoned < concurrency) return;
    this.#retired.resolve(`${abandoned} of its ${concurrency} places hold calls nobody waits for`);
  }

  #sign(object: ErrorObject, cause?: Error): RootbridgeError {
    const stderr = object.code === "closed" ? undefined : this.process.stderrTail();
    const because = cause === undefined ? {} : { cause };
    return new RootbridgeError(object, { workerPid: this.pid, stderr, ...because });
  }
}

const decoder = new TextDecoder();

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Says how a process ended. */
export function describeExit({ code, signal, cause }: Exit): string {
  if (signal !== undefined) return `signal ${signal}`;
  if (code !== undefined) return `exit code ${code}`;
  return cause instanceof Error ? cause.message : "it could not be started";
}

function isTruncated(reason: Error | undefined): boolean {
  return reason instanceof FrameError && reason.truncated;
}
