import type { CurrentCall } from "../protocol/current-call.ts";
import { Encoding } from "../protocol/frame.ts";
import type { CallMeta, CancelMeta, Invocation, LogLevel } from "../protocol/message.ts";
import { execPattern } from "../protocol/methods.ts";
import {
  AsyncLocalStorage,
  AsyncResource,
  abort,
  defineProperty,
  epochNow,
  max,
  NativeAbortController,
  NativeDate,
} from "./intrinsics.ts";

/** Takes what a CallLogger writes. */
export type CallLog = (
  call: Call,
  level: LogLevel,
  message: string,
  fields?: Record<string, unknown>,
) => void;

/** Where currentCall is found by every copy of the `rootbridge` package in this process. */
const SHARED: symbol = Symbol.for("rootbridge.currentCall");
const storage = new AsyncLocalStorage<Call>();
/** The type of the resources that calls run in, as node:async_hooks tells it. */
const RESOURCE = "rootbridge.call";
/** Made before there is any call. */
const outside = new AsyncResource(RESOURCE);
let writeLog: CallLog = () => {};

/** One call that runs, with what its answer needs. */
export class Call {
  readonly id: number;
  readonly method: string;
  /** Encoding of the result. */
  readonly accept: Encoding;
  readonly traceparent: string | undefined;
  /** What an invocation of a Lambda handler carries. */
  readonly lambda: Invocation | undefined;
  readonly #traceId: string | undefined;
  /** Epoch milliseconds. */
  readonly #deadline: number | undefined;
  #controller: AbortController | undefined;
  #canceled: CancelMeta["reason"] | undefined;
  #view: CurrentCall | undefined;
  /** True once it has its answer: what comes later is ignored. */
  answered = false;

  /** `arrival` is when it came, in epoch milliseconds. */
  constructor(id: number, meta: CallMeta, accept: Encoding, arrival: number) {
    this.id = id;
    this.method = meta.method;
    this.accept = accept;
    this.traceparent = meta.traceparent;
    this.lambda = meta.lambda;
    this.#traceId = meta.traceId;
    if (meta.timeout !== undefined) this.#deadline = arrival + meta.timeout;
  }

  get traceId(): string | undefined {
    return this.#traceId ?? traceIdOf(this.traceparent);
  }

  get deadline(): Date | undefined {
    return this.#deadline === undefined ? undefined : new NativeDate(this.#deadline);
  }

  timeLeft(): number {
    if (this.#deadline === undefined) return Number.POSITIVE_INFINITY;
    return max(0, this.#deadline - epochNow());
  }

  /** Made only when asked for: few calls look at it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new NativeAbortController();
      if (this.#canceled) this.#abort(this.#canceled);
    }
    return this.#controller.signal;
  }

  /** Nobody waits for the answer any more. */
  cancel(reason: CancelMeta["reason"]): void {
    if (this.#canceled) return;
    this.#canceled = reason;
    if (this.#controller) runAs(this, () => this.#abort(reason));
  }

  /** Listeners of the signal run as part of this call. */
  #abort(reason: CancelMeta["reason"]): void {
    const error =
      reason === "deadline_exceeded"
        ? new DOMException(`the caller's deadline for "${this.method}" is over`, "TimeoutError")
        : new DOMException(`the caller of "${this.method}" went away`, "AbortError");
    if (this.#controller) abort(this.#controller, error);
  }

  /** What currentCall() returns. */
  get view(): CurrentCall {
    this.#view ??= viewOf(this);
    return this.#view;
  }
}

/** A traceparent is version, trace id, parent id and flags, with dashes between them. */
function traceIdOf(traceparent = ""): string | undefined {
  return execPattern(/^[^-]*-([^-]*)/, traceparent)?.[1];
}

function viewOf(call: Call): CurrentCall {
  return {
    method: call.method,
    traceId: call.traceId,
    traceparent: call.traceparent,
    get deadline() {
      return call.deadline;
    },
    get signal() {
      return call.signal;
    },
    logger: {
      debug: (message, fields) => writeLog(call, "debug", message, fields),
      info: (message, fields) => writeLog(call, "info", message, fields),
      warn: (message, fields) => writeLog(call, "warn", message, fields),
      error: (message, fields) => writeLog(call, "error", message, fields),
    },
    timeLeft: () => call.timeLeft(),
  };
}

/**
 * Runs `body` as a part of a call: whatever it starts can ask for the call, too. What other calls have put into an
 * AsyncLocalStorage is not seen by it, nor what it puts there by them.
 */
export function runAs(call: Call, body: () => void): void {
  const scope = isReusable ? outside : new AsyncResource(RESOURCE);
  scope.runInAsyncScope(enter, undefined, call, body);
}

function enter(call: Call, body: () => void): void {
  storage.enterWith(call);
  body();
}

/**
 * True where what is entered in a resource's scope ends with it, as from Node 24 on; else the resource keeps it, and Node follows
 * contexts from here on, before user code can be in its way.
 */
function endsWithScope(): boolean {
  const probe = new Call(0, { method: "" }, Encoding.Json, 0);
  outside.runInAsyncScope(() => storage.enterWith(probe));
  return outside.runInAsyncScope(() => storage.getStore()) === undefined;
}

const isReusable = endsWithScope();

/** The call that the running code belongs to, as far as Node can tell. */
export function runningCall(): Call | undefined {
  return storage.getStore();
}

/** Makes currentCall() work for user code, and its logger write to `log`. */
export function shareCurrentCall(log: CallLog): void {
  writeLog = log;
  const currentCall = (): CurrentCall | undefined => storage.getStore()?.view;
  defineProperty(globalThis, SHARED, { value: currentCall, configurable: true });
}
