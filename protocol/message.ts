import { parseJson, reasonWithoutText, stringifyJson } from "./codec.ts";
import {
  Encoding,
  MAX_CALL_ID,
  MAX_HELLO,
  MAX_MAX_PAYLOAD,
  MAX_META,
  MAX_STATS,
  MIN_MAX_PAYLOAD,
  VERSION,
} from "./frame.ts";
import { joinTexts } from "./list.ts";
import { Buffer, sliceText } from "./methods.ts";
import { withoutPrototype } from "./prototype.ts";

/** A well-formed frame whose content breaks a rule of the protocol. */
export class MessageError extends Error {
  override readonly name: string = "MessageError";
  readonly code: "protocol_error" = "protocol_error";
}

/** How a function is called. */
export type Convention = "value" | "args" | "callback" | "args_callback" | "lambda";
/** Whose rules the convention `lambda` follows, by the name of AWS's runtime. */
export type LambdaRuntime = "nodejs22.x" | "nodejs24.x";
/** An encoding of values, by the name that meta and hello use. */
export type Codec = "json" | "msgpack";
/** An encoding by the name that hello uses. */
export type EncodingName = Codec | "raw";
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogSource = "console" | "stdout" | "stderr" | "log";

/** What the host asks of the worker. */
export interface HelloOptions {
  /** Convention of calls that name none; default `value`. */
  convention?: Convention;
  /** Encoding of the results of raw calls; default `json`. */
  codec?: Codec;
  /** Text of an ES module to load in place of a file. */
  source?: string;
  /** A Lambda handler string, such as `src/app.handler`, whose function the empty method is. */
  handler?: string;
  /** Default `nodejs22.x`. */
  lambdaRuntime?: LambdaRuntime;
}

/** The first frame each way. */
export interface Hello {
  /** Highest protocol version that its sender speaks. */
  protocol: number;
  /** Largest payload that its sender accepts, in bytes. */
  maxPayload: number;
  /** What its sender accepts; holds json and raw at least. */
  encodings: EncodingName[];
  options?: HelloOptions;
  runtime?: string;
  runtimeVersion?: string;
  pid?: number;
}

/** The worker's code is loaded. */
export interface Ready {
  /** Names of the exported functions; others may be callable too. */
  methods: string[];
}

/** What an invocation of a Lambda handler carries beside its event. */
export interface Invocation {
  /** Default: a new UUID. */
  requestId?: string;
  functionArn?: string;
  /** Any JSON, as a mobile SDK sends it. */
  clientContext?: unknown;
  /** Any JSON: who Cognito says the caller is. */
  identity?: unknown;
  /** An X-Ray trace header, such as `Root=1-…;Parent=…;Sampled=1`. */
  trace?: string;
  tenantId?: string;
}

/** Meta of a call. */
export interface CallMeta {
  method: string;
  /** Milliseconds left, over 0. */
  timeout?: number;
  traceId?: string;
  traceparent?: string;
  convention?: Convention;
  /** Encoding wanted for the result. */
  accept?: Codec;
  /** Of calls with the convention `lambda`. */
  lambda?: Invocation;
}

/** Meta of a reply. */
export interface ReplyMeta {
  /** Of a Lambda handler's stream: the type of its bytes, as the handler has set it. */
  contentType?: string;
}

/** Meta of a cancel. */
export interface CancelMeta {
  reason: "deadline_exceeded" | "canceled";
}

/** Meta of a log line. */
export interface LogMeta {
  level: LogLevel;
  source: LogSource;
  method?: string;
  traceId?: string;
}

/** Meta of a worker's goaway. */
export interface GoawayMeta {
  reason: string;
  /** The last call that was started, 0 when none was; absent when that is not known. */
  lastId?: number;
  /** It goes on taking calls until the host's goaway, and `lastId` means nothing. Default false. */
  serving?: boolean;
}

/** What a worker uses, in bytes where nothing else is said. Absent is what it did not say. */
export interface Stats {
  /** Event-loop utilization since the last stats, or since ready: 0 to 1. */
  elu?: number;
  heapUsed?: number;
  /** Where V8 gives up. */
  heapLimit?: number;
  /** Resident set size. */
  rss?: number;
  /** Outside of V8's heap, array buffers included. */
  external?: number;
}

const isArray = Array.isArray;
const isWhole = Number.isInteger;
const isSafe = Number.isSafeInteger;
const isFiniteNumber: (value: unknown) => value is number = Number.isFinite as never;

const ENCODING_NAMES: readonly EncodingName[] = ["json", "msgpack", "raw"];
export const CODECS: readonly Codec[] = ["json", "msgpack"];
export const CONVENTIONS: readonly Convention[] = [
  "value",
  "args",
  "callback",
  "args_callback",
  "lambda",
];
export const LAMBDA_RUNTIMES: readonly LambdaRuntime[] = ["nodejs22.x", "nodejs24.x"];
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const SOURCES: readonly LogSource[] = ["console", "stdout", "stderr", "log"];

type JsonObject = Record<string, unknown>;

/** The number in a frame's flags for a codec's name. */
export function encodingOf(codec: Codec): Encoding {
  return codec === "msgpack" ? Encoding.Msgpack : Encoding.Json;
}

/** The payload of a hello. */
export function encodeHello(hello: Hello): Uint8Array {
  return encodeObject({
    protocol: hello.protocol,
    max_payload: hello.maxPayload,
    encodings: hello.encodings,
    options: hello.options && encodableOptions(hello.options),
    runtime: hello.runtime,
    runtime_version: hello.runtimeVersion,
    pid: hello.pid,
  });
}

function encodableOptions(options: HelloOptions): JsonObject {
  const { lambdaRuntime, ...others } = options;
  return { ...others, lambda_runtime: lambdaRuntime };
}

/** Reads a hello's payload. Throws a MessageError that names the key and what was expected of it. */
export function decodeHello(payload: Uint8Array): Hello {
  if (payload.length > MAX_HELLO) {
    throw new MessageError(`hello: expected at most ${MAX_HELLO} bytes, got ${payload.length}`);
  }
  const from = decodeObject("hello", payload);
  const hello: Hello = {
    protocol: decodeVersion(from["protocol"]),
    maxPayload: decodeMaxPayload(from["max_payload"]),
    encodings: decodeEncodings(from["encodings"]),
  };
  if (from["options"] !== undefined) hello.options = decodeOptions(from["options"]);
  const runtime = optionalString("hello", from, "runtime");
  if (runtime !== undefined) hello.runtime = runtime;
  const runtimeVersion = optionalString("hello", from, "runtime_version");
  if (runtimeVersion !== undefined) hello.runtimeVersion = runtimeVersion;
  if (from["pid"] !== undefined) hello.pid = positiveInteger("hello", from, "pid");
  return hello;
}

function decodeVersion(protocol: unknown): number {
  if (!isWhole(protocol) || (protocol as number) < 1) {
    throw expected("hello", "protocol", `a whole number from 1 (here ${VERSION})`, protocol);
  }
  return protocol as number;
}

function decodeMaxPayload(size: unknown): number {
  const whole = isWhole(size) ? (size as number) : -1;
  if (whole < MIN_MAX_PAYLOAD || whole > MAX_MAX_PAYLOAD) {
    const range = `a whole number from ${MIN_MAX_PAYLOAD} to ${MAX_MAX_PAYLOAD}`;
    throw expected("hello", "max_payload", range, size);
  }
  return whole;
}

/** Names that are not known here are left out: a later release may add some. */
function decodeEncodings(names: unknown): EncodingName[] {
  const known = isArray(names) ? ENCODING_NAMES.filter((name) => names.includes(name)) : [];
  if (!(known.includes("json") && known.includes("raw"))) {
    throw expected("hello", "encodings", 'a list that has "json" and "raw"', names);
  }
  return known;
}

function decodeOptions(value: unknown): HelloOptions {
  if (!isObject(value)) throw expected("hello", "options", "an object", value);
  const options: HelloOptions = {};
  const convention = optionalName("hello", value, "convention", CONVENTIONS);
  if (convention !== undefined) options.convention = convention;
  const codec = optionalName("hello", value, "codec", CODECS);
  if (codec !== undefined) options.codec = codec;
  const source = optionalString("hello", value, "source");
  if (source !== undefined) options.source = source;
  const handler = optionalString("hello", value, "handler");
  if (handler !== undefined) options.handler = handler;
  const runtime = optionalName("hello", value, "lambda_runtime", LAMBDA_RUNTIMES);
  if (runtime !== undefined) options.lambdaRuntime = runtime;
  return options;
}

/** The payload of a ready. */
export function encodeReady(ready: Ready): Uint8Array {
  return encodeObject({ methods: ready.methods });
}

/** Reads a ready's payload. Throws a MessageError. */
export function decodeReady(payload: Uint8Array): Ready {
  const { methods } = decodeObject("ready", payload);
  if (!isArray(methods) || !methods.every((name) => typeof name === "string")) {
    throw expected("ready", "methods", "a list of strings", methods);
  }
  return { methods };
}

/** The meta of a call. */
export function encodeCall(call: CallMeta): Uint8Array {
  return encodeObject({
    method: call.method,
    timeout: call.timeout,
    trace_id: call.traceId,
    traceparent: call.traceparent,
    convention: call.convention,
    accept: call.accept,
    lambda: call.lambda && encodableInvocation(call.lambda),
  });
}

function encodableInvocation(invocation: Invocation): JsonObject {
  return {
    request_id: invocation.requestId,
    function_arn: invocation.functionArn,
    client_context: invocation.clientContext,
    identity: invocation.identity,
    trace: invocation.trace,
    tenant_id: invocation.tenantId,
  };
}

/** Reads a call's meta. Throws a MessageError that names the key and what was expected of it. */
export function decodeCall(meta: Uint8Array): CallMeta {
  const from = decodeObject("call", meta);
  const { method, timeout } = from;
  if (typeof method !== "string") throw expected("call", "method", "a string", method);
  const call: CallMeta = withoutPrototype({ method });
  if (timeout !== undefined) {
    if (!(isFiniteNumber(timeout) && timeout > 0)) {
      throw expected("call", "timeout", "finite milliseconds over 0", timeout);
    }
    call.timeout = timeout;
  }
  const traceId = optionalString("call", from, "trace_id");
  if (traceId !== undefined) call.traceId = traceId;
  const traceparent = optionalString("call", from, "traceparent");
  if (traceparent !== undefined) call.traceparent = traceparent;
  const convention = optionalName("call", from, "convention", CONVENTIONS);
  if (convention !== undefined) call.convention = convention;
  const accept = optionalName("call", from, "accept", CODECS);
  if (accept !== undefined) call.accept = accept;
  if (from["lambda"] !== undefined) call.lambda = decodeInvocation(from["lambda"]);
  return call;
}

function decodeInvocation(value: unknown): Invocation {
  if (!isObject(value)) throw expected("call", "lambda", "an object", value);
  const from = withoutPrototype(value);
  const invocation: Invocation = withoutPrototype({});
  const requestId = optionalString("call", from, "request_id");
  if (requestId !== undefined) invocation.requestId = requestId;
  const functionArn = optionalString("call", from, "function_arn");
  if (functionArn !== undefined) invocation.functionArn = functionArn;
  if (from["client_context"] !== undefined) invocation.clientContext = from["client_context"];
  if (from["identity"] !== undefined) invocation.identity = from["identity"];
  const trace = optionalString("call", from, "trace");
  if (trace !== undefined) invocation.trace = trace;
  const tenantId = optionalString("call", from, "tenant_id");
  if (tenantId !== undefined) invocation.tenantId = tenantId;
  return invocation;
}

/** The meta of a reply, without a content type that does not fit into MAX_META bytes. */
export function encodeReply({ contentType }: ReplyMeta): Uint8Array {
  const meta = encodeObject({ content_type: contentType });
  return meta.length <= MAX_META ? meta : encodeObject({});
}

/** Reads a reply's meta. A result is worth more: a content type that is no string is left out. Throws a MessageError. */
export function decodeReply(meta: Uint8Array): ReplyMeta {
  const { content_type: contentType } = decodeObject("reply", meta);
  return typeof contentType === "string" ? { contentType } : {};
}

/** The meta of a cancel. */
export function encodeCancel(cancel: CancelMeta): Uint8Array {
  return encodeObject({ reason: cancel.reason });
}

/** Reads a cancel's meta; any reason but `deadline_exceeded` means `canceled`. Throws a MessageError. */
export function decodeCancel(meta: Uint8Array): CancelMeta {
  const { reason } = decodeObject("cancel", meta);
  return { reason: reason === "deadline_exceeded" ? reason : "canceled" };
}

/** The meta of a log line, without the longer of method and trace id where they don't fit into MAX_META bytes. */
export function encodeLog(log: LogMeta): Uint8Array {
  const { level, source, method, traceId } = log;
  const whole = encodeObject({ level, source, method, trace_id: traceId });
  if (whole.length <= MAX_META) return whole;
  const shorter =
    (method?.length ?? 0) > (traceId?.length ?? 0) ? { trace_id: traceId } : { method };
  const bytes = encodeObject({ level, source, ...shorter });
  return bytes.length <= MAX_META ? bytes : encodeObject({ level, source });
}

/** Reads a log line's meta. A line is worth more than its meta: unknown levels and sources read as info and stdout. */
export function decodeLog(meta: Uint8Array): LogMeta {
  const from = decodeObject("log", meta);
  const log: LogMeta = {
    level: LEVELS.find((level) => level === from["level"]) ?? "info",
    source: SOURCES.find((source) => source === from["source"]) ?? "stdout",
  };
  if (typeof from["method"] === "string") log.method = from["method"];
  if (typeof from["trace_id"] === "string") log.traceId = from["trace_id"];
  return log;
}

/** The meta of a worker's goaway. */
export function encodeGoaway(goaway: GoawayMeta): Uint8Array {
  return encodeObject({
    reason: goaway.reason,
    last_id: goaway.lastId,
    serving: goaway.serving,
  });
}

/** Reads the meta of a goaway. Throws a MessageError. */
export function decodeGoaway(meta: Uint8Array): GoawayMeta {
  const from = decodeObject("goaway", meta);
  const goaway: GoawayMeta = { reason: optionalString("goaway", from, "reason") ?? "" };
  const lastId = from["last_id"];
  if (lastId !== undefined) {
    if (lastId !== 0 && !isCallId(lastId)) {
      throw expected("goaway", "last_id", `a whole number up to ${MAX_CALL_ID}`, lastId);
    }
    goaway.lastId = lastId;
  }
  const serving = optionalBoolean("goaway", from, "serving");
  if (serving !== undefined) goaway.serving = serving;
  return goaway;
}

/** The payload of a worker's stats. */
export function encodeStats(stats: Stats): Uint8Array {
  return encodeObject({
    elu: stats.elu,
    heap_used: stats.heapUsed,
    heap_limit: stats.heapLimit,
    rss: stats.rss,
    external: stats.external,
  });
}

/** Reads a stats payload. Numbers are advice: those that are none are left out. Throws a MessageError for no object. */
export function decodeStats(payload: Uint8Array): Stats {
  if (payload.length > MAX_STATS) {
    throw new MessageError(`stats: expected at most ${MAX_STATS} bytes, got ${payload.length}`);
  }
  const from = decodeObject("stats", payload);
  const stats: Stats = {};
  const elu = from["elu"];
  if (typeof elu === "number" && elu >= 0 && elu <= 1) stats.elu = elu;
  if (isByteCount(from["heap_used"])) stats.heapUsed = from["heap_used"];
  if (isByteCount(from["heap_limit"])) stats.heapLimit = from["heap_limit"];
  if (isByteCount(from["rss"])) stats.rss = from["rss"];
  if (isByteCount(from["external"])) stats.external = from["external"];
  return stats;
}

function isByteCount(value: unknown): value is number {
  return isSafe(value) && (value as number) >= 0;
}

/** True for the ids that a host gives its calls. */
export function isCallId(id: unknown): id is number {
  return isWhole(id) && (id as number) >= 1 && (id as number) <= MAX_CALL_ID;
}

function encodeObject(value: JsonObject): Uint8Array {
  return Buffer.from(stringifyJson(value) ?? "{}");
}

/** Reads a JSON object; no bytes are an empty one. Throws a MessageError that begins with `kind`. */
export function decodeObject(kind: string, bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) return withoutPrototype({});
  const value = parseObject(kind, bytes);
  if (!isObject(value))
    throw new MessageError(`${kind}: expected a JSON object, got ${typeOf(value)}`);
  return withoutPrototype(value);
}

function parseObject(kind: string, bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    const reason = reasonWithoutText(error);
    throw new MessageError(`${kind}: expected a JSON object: ${reason}`, { cause: error });
  }
}

/** It may be a secret: a payload is not quoted. */
function typeOf(value: unknown): string {
  if (value === null) return "null";
  return isArray(value) ? "a list" : `a ${typeof value}`;
}

function optionalString(kind: string, from: JsonObject, key: string): string | undefined {
  const value = from[key];
  if (value === undefined || typeof value === "string") return value;
  throw expected(kind, key, "a string", value);
}

function optionalBoolean(kind: string, from: JsonObject, key: string): boolean | undefined {
  const value = from[key];
  if (value === undefined || typeof value === "boolean") return value;
  throw expected(kind, key, "true or false", value);
}

function optionalName<Name extends string>(
  kind: string,
  from: JsonObject,
  key: string,
  names: readonly Name[],
): Name | undefined {
  const value = from[key];
  if (value === undefined) return undefined;
  const name = nameIn(names, value);
  if (name === undefined) throw expected(kind, key, `one of ${joinTexts(names, ", ")}`, value);
  return name;
}

/** The name that a value is; undefined for none. */
export function nameIn<Name extends string>(
  names: readonly Name[],
  value: unknown,
): Name | undefined {
  for (let i = 0; i < names.length; i++) if (names[i] === value) return names[i];
  return undefined;
}

function positiveInteger(kind: string, from: JsonObject, key: string): number {
  const value = from[key];
  if (!isWhole(value) || (value as number) < 1) {
    throw expected(kind, key, "a whole number over 0", value);
  }
  return value as number;
}

function expected(kind: string, key: string, what: string, got: unknown): MessageError {
  return new MessageError(`${kind}: expected ${key} to be ${what}, got ${describe(got)}`);
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return `${value}`; // JSON has no word for Infinity
  const text = stringifyJson(value) ?? typeof value;
  return text.length > 60 ? `${sliceText(text, 0, 60)}…` : text;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !isArray(value);
}
