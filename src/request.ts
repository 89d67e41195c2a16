import { bytesOf } from "../protocol/bytes.ts";
import { CodecError, decodeValue, encodeValue } from "../protocol/codec.ts";
import { isTooDeep, MAX_DEPTH } from "../protocol/depth.ts";
import { Encoding, type Frame, Kind, MAX_META } from "../protocol/frame.ts";
import {
  type CallMeta,
  type CancelMeta,
  CONVENTIONS,
  type Convention,
  decodeReply,
  encodeCall,
  encodingOf,
  type Invocation,
  type ReplyMeta,
} from "../protocol/message.ts";
import { type Code, type ErrorDetails, parseError, RootbridgeError } from "./error.ts";
import type { Settings } from "./options.ts";

/** Who replied to a call. */
export interface Reply {
  /** Generation of the code that ran: 1, and one more with each reload whose code loaded. */
  readonly generation: number;
  readonly workerPid: number;
  /** Of bytes that a Lambda handler has streamed: their type, as the handler has set it. No header value yet: check it. */
  readonly contentType?: string;
}

/** What one call may change. */
export interface CallOptions {
  /** Milliseconds in place of the option `callTimeout`, queue included. Infinity means no limit. */
  readonly timeout?: number | undefined;
  /** Ends the call for the caller; the function sees `currentCall().signal` abort. */
  readonly signal?: AbortSignal | undefined;
  /** Comes back on each log line of the call. */
  readonly traceId?: string | undefined;
  /** A W3C traceparent, passed to the function. */
  readonly traceparent?: string | undefined;
  /** In place of the option `convention`. */
  readonly convention?: Convention | undefined;
  /** What an invocation carries beside its event, with the convention `lambda`. */
  readonly invocation?: Invocation | undefined;
  /**
   * Told who replied, just before the call settles with a result or with an error that the worker
   * sent; never for a call without a reply. The call rejects with what it throws.
   */
  readonly onReply?: ((reply: Reply) => void) | undefined;
}

/** One call from its start to its end: what is sent, and the time it has. */
export class Request {
  readonly meta: CallMeta;
  readonly encoding: Encoding;
  readonly payload: Uint8Array;
  /** When its time is over, as `performance.now()` tells the time; Infinity for never. */
  readonly deadline: number;
  /** True once a worker has it. */
  sent = false;

  /** What the host's hello offered. */
  readonly #offered: readonly Encoding[];
  readonly #over = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #onReply: CallOptions["onReply"];
  readonly #timeout: number;
  #timer: NodeJS.Timeout | undefined;

  /** Starts the clock. Throws `invalid_argument` or `too_large`. */
  constructor(settings: Settings, method: string, data: unknown, options: CallOptions) {
    const { timeout = settings.callTimeout, signal, onReply } = options;
    checkTexts(method, options);
    checkTimeout(timeout);
    this.#offered = settings.codec === "msgpack" ? withMsgpack : withoutMsgpack;
    this.meta = metaOf(settings, method, options);
    [this.encoding, this.payload] = encode(data, settings);
    this.#timeout = timeout;
    this.deadline = performance.now() + timeout;
    this.#caller = signal;
    this.#onReply = onReply;
    if (timeout !== Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => this.#expire(), timeout);
    }
    signal?.addEventListener("abort", this.#cancel, { once: true });
    if (signal?.aborted) this.#cancel();
  }

  /** Aborts with the RootbridgeError for which nobody waits any more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** True once its time is over, also where the timer is late: this process may have been stopped meanwhile. */
  isOver(): boolean {
    if (performance.now() < this.deadline) return false;
    this.#expire();
    return true;
  }

  /** Stops the clock. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#cancel);
  }

  /** Tells the caller who replied. Throws what the caller throws. */
  repliedBy(generation: number, workerPid: number | undefined, answer: Frame): void {
    this.#onReply?.({ generation, workerPid: workerPid ?? 0, ...replyMeta(answer) });
  }

  /** The result in an answer. Throws the error in it, `unencodable_result` or `protocol_error`. */
  take(answer: Frame): unknown {
    if (answer.kind === Kind.Error) throw new RootbridgeError(parseError(answer.payload));
    if (!this.#offered.includes(answer.encoding)) {
      const message = `the worker sent a result of encoding ${answer.encoding}, which the host did not offer; the function ran`;
      throw failure("protocol_error", message);
    }
    try {
      return decode(answer);
    } catch (cause) {
      if (!(cause instanceof CodecError)) throw cause;
      throw failure("unencodable_result", cause.message, { cause });
    }
  }

  /** The error for a worker whose limit, in bytes, is lower than the host's own. */
  tooLargeFor(limit: number): RootbridgeError | undefined {
    return this.payload.length > limit
      ? tooLarge(this.payload, limit, "the worker's limit")
      : undefined;
  }

  readonly #cancel = (): void => {
    this.#end("canceled", "canceled by the caller", { cause: this.#caller?.reason });
  };

  #expire(): void {
    const limit = `${this.#timeout} ms (option callTimeout, or timeout of the call)`;
    this.#end("deadline_exceeded", `no result within ${limit}`);
  }

  #end(code: CancelMeta["reason"], why: string, details: ErrorDetails = {}): void {
    const state = this.sent
      ? "while running; the function may still be"
      : "while waiting for a worker; the call did not run";
    this.#over.abort(failure(code, `${why} ${state}`, details));
  }
}

const withoutMsgpack: readonly Encoding[] = [Encoding.Json, Encoding.Raw];
const withMsgpack: readonly Encoding[] = [...withoutMsgpack, Encoding.Msgpack];

/** Callers without types give anything. */
function checkTexts(method: unknown, { convention, traceId, traceparent }: CallOptions): void {
  for (const [name, value] of Object.entries({ method, traceId, traceparent })) {
    if (typeof value === "string" || (value === undefined && name !== "method")) continue;
    throw failure("invalid_argument", `expected ${name} to be a text, got ${typeof value}`);
  }
  if (convention === undefined || CONVENTIONS.includes(convention)) return;
  const known = CONVENTIONS.join(", ");
  throw failure("invalid_argument", `expected convention to be one of ${known}, got ${convention}`);
}

function checkTimeout(timeout: number): void {
  if (
    typeof timeout === "number" &&
    timeout > 0 &&
    (timeout <= longestTimeout || timeout === Number.POSITIVE_INFINITY)
  )
    return;
  const expected = `milliseconds over 0 and up to ${longestTimeout}, or Infinity`;
  throw failure("invalid_argument", `expected timeout to be ${expected}, got ${timeout}`);
}

/** Node's timers take no longer time. */
const longestTimeout = 2_147_483_647;

function metaOf(settings: Settings, method: string, options: CallOptions): CallMeta {
  const { traceId, traceparent, convention } = options;
  const meta: CallMeta = { method };
  if (traceId !== undefined) meta.traceId = traceId;
  if (traceparent !== undefined) meta.traceparent = traceparent;
  if (convention !== undefined) meta.convention = convention;
  if ((convention ?? settings.convention) === "lambda") {
    meta.lambda = invocationOf(settings, options.invocation);
  }
  if (sizeOf(meta) <= MAX_META - roomForTimeout) return meta;
  const message = `expected method, traceId, traceparent and invocation to take at most ${MAX_META - roomForTimeout} bytes together`;
  throw failure("invalid_argument", message);
}

function invocationOf({ lambda }: Settings, invocation: Invocation = {}): Invocation {
  if (typeof invocation !== "object" || invocation === null) {
    throw failure("invalid_argument", `expected invocation to be an object, got ${invocation}`);
  }
  for (const name of ["requestId", "functionArn", "trace", "tenantId"] as const) {
    const got = typeof invocation[name];
    if (got === "undefined" || got === "string") continue;
    throw failure("invalid_argument", `expected invocation.${name} to be a text, got ${got}`);
  }
  return { ...invocation, functionArn: invocation.functionArn ?? lambda.functionArn };
}

/** Callers may give a context that has no JSON form. */
function sizeOf(meta: CallMeta): number {
  try {
    return encodeCall(meta).length;
  } catch (cause) {
    const message = "expected invocation.clientContext and identity to be values of JSON";
    throw failure("invalid_argument", message, { cause });
  }
}

/** Bytes that the time left takes in a call's meta, which is known only when the call is sent. */
const roomForTimeout = 32;

/** Bytes are sent as they are, and no value as no bytes. */
function encode(data: unknown, { codec, maxPayload }: Settings): [Encoding, Uint8Array] {
  const bytes = bytesOf(data);
  const encoding = bytes ? Encoding.Raw : encodingOf(codec);
  const payload = bytes ?? encodeArgument(data, encoding);
  if (payload.length > maxPayload) throw tooLarge(payload, maxPayload, "option maxPayload");
  return [encoding, payload];
}

function encodeArgument(data: unknown, encoding: Encoding): Uint8Array {
  try {
    const payload = encodeValue(data, encoding, "argument");
    if (!isTooDeep(payload, encoding)) return payload;
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    throw failure("invalid_argument", cause.message, { cause });
  }
  throw failure("invalid_argument", `argument nests more than ${MAX_DEPTH} levels deep`);
}

function tooLarge({ length }: Uint8Array, limit: number, source: string): RootbridgeError {
  const message = `the argument has ${length} bytes, at most ${limit} are allowed (${source})`;
  return failure("too_large", message);
}

function decode({ encoding, payload }: Frame): unknown {
  if (isTooDeep(payload, encoding)) {
    throw new CodecError(`result nests more than ${MAX_DEPTH} levels deep`);
  }
  return decodeValue(payload, encoding, "result");
}

/** A result is worth more than its meta. */
function replyMeta({ kind, meta }: Frame): ReplyMeta {
  if (kind !== Kind.Reply || meta.length === 0) return {};
  try {
    return decodeReply(meta);
  } catch {
    return {};
  }
}

function failure(code: Code, message: string, details: ErrorDetails = {}): RootbridgeError {
  return new RootbridgeError({ code, message }, details);
}
