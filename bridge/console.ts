import { parseJson } from "../protocol/codec.ts";
import { textOf } from "../protocol/error.ts";
import { Encoding, MAX_LOG } from "../protocol/frame.ts";
import { filterList } from "../protocol/list.ts";
import type { LogLevel, LogMeta, LogSource } from "../protocol/message.ts";
import { indexOf, lowerCase, matches, subarray } from "../protocol/methods.ts";
import { withoutPrototype } from "../protocol/prototype.ts";
import { type Call, runningCall } from "./current-call.ts";
import {
  apply,
  Buffer,
  defineProperty,
  getOwnPropertyDescriptor,
  keysOf,
  min,
  nativeProcess,
  nextTick,
} from "./intrinsics.ts";
import { encodeRecord, LEFT_OUT } from "./log-record.ts";

/** Takes log lines of at most maxLine bytes. */
export type LogSink = (meta: LogMeta, payload: Uint8Array, encoding: Encoding) => void;

/** What a console method's lines are worth. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  log: "info",
  info: "info",
  debug: "debug",
  trace: "debug",
  warn: "warn",
  error: "error",
  assert: "error",
  dir: "info",
  dirxml: "info",
  table: "info",
  group: "info",
  groupCollapsed: "info",
  count: "info",
  countReset: "warn",
  timeEnd: "info",
  timeLog: "info",
};
const { isView } = ArrayBuffer;
const { assign } = Object;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Most bytes of a line. */
let maxLine: number = MAX_LOG;
/** The level of the console method that is writing, if one is. */
let consoleLevel: LogLevel | undefined;

/**
 * Sends what user code prints to `sink`: console methods, and what is written to process.stdout and process.stderr, one
 * line at a time. Lines have at most `maxPayload` bytes, and MAX_LOG. Returns a function that sends unfinished lines, for
 * the process's end.
 */
export function capturePrints(sink: LogSink, maxPayload: number): () => void {
  maxLine = min(MAX_LOG, maxPayload);
  captureConsole();
  const stdout = new LineSplitter("stdout", "info", sink);
  const stderr = new LineSplitter("stderr", "warn", sink);
  captureStream("stdout", stdout);
  captureStream("stderr", stderr);
  return () => {
    stdout.end();
    stderr.end();
  };
}

let streamsPatched = false;

/** Keeps each method's own work (formats, groups, tables, stacks) and only notes its level meanwhile. */
function captureConsole(): void {
  const methods = console as unknown as Record<string, unknown>;
  for (const name of keysOf(LEVELS)) {
    const original = methods[name];
    const level = LEVELS[name];
    if (typeof original !== "function" || level === undefined) continue;
    const noting = named(name, function (this: unknown, ...args: unknown[]): unknown {
      const before = consoleLevel;
      consoleLevel ??= level;
      patchStreams();
      try {
        return apply(original, this, args);
      } finally {
        consoleLevel = before;
      }
    });
    replace(methods, name, { value: noting, writable: true, enumerable: true, configurable: true });
  }
}

/** A preload or --frozen-intrinsics may have frozen what it is of: then it stays, and its lines lack their source or call. */
function replace(owner: object, name: string, property: PropertyDescriptor): void {
  try {
    defineProperty(owner, name, withoutPrototype(property));
  } catch {
    // What it prints goes where the stream leads, at worst to stderr.
  }
}

/** A preload that printed has made console's streams already: asking for them patches them. */
function patchStreams(): void {
  if (streamsPatched) return;
  streamsPatched = true;
  void nativeProcess.stdout;
  void nativeProcess.stderr;
}

function named<Fn extends (...args: never[]) => unknown>(name: string, fn: Fn): Fn {
  return defineProperty(fn, "name", { value: name, configurable: true });
}

/** Patches the stream when it is first asked for: making it costs start-up time. */
function captureStream(name: "stdout" | "stderr", lines: LineSplitter): void {
  const descriptor = getOwnPropertyDescriptor(nativeProcess, name);
  const getStream = descriptor?.get;
  if (!getStream) {
    patchStream(nativeProcess[name], lines);
    return;
  }
  let stream: NodeJS.WriteStream | undefined;
  const get = (): NodeJS.WriteStream => {
    if (!stream) {
      stream = apply(getStream, nativeProcess, []) as NodeJS.WriteStream;
      patchStream(stream, lines);
    }
    return stream;
  };
  replace(nativeProcess, name, { ...descriptor, get: named("get", get) });
}

type Written = (error?: Error | null) => void;

/** Own properties, by which pino and others see that the stream is not the plain one. */
function patchStream(stream: NodeJS.WriteStream, lines: LineSplitter): void {
  const write = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
    lines.write(bytesToPrint(chunk, encoding));
    const written = typeof encoding === "function" ? encoding : callback;
    if (typeof written === "function") nextTick(() => (written as Written)(null));
    return true;
  };
  const end = (chunk?: unknown, encoding?: unknown, callback?: unknown): NodeJS.WriteStream => {
    const ended = filterList([chunk, encoding, callback], (part) => typeof part === "function")[0];
    if (chunk !== undefined && chunk !== null && typeof chunk !== "function")
      write(chunk, encoding);
    if (ended) nextTick(ended as () => void);
    return stream;
  };
  replace(stream, "write", { value: write, writable: true, configurable: true });
  replace(stream, "end", { value: end, writable: true, configurable: true });
}

function bytesToPrint(chunk: unknown, encoding: unknown): string | Uint8Array {
  if (typeof chunk === "string") {
    const plain = typeof encoding !== "string" || matches(/^utf-?8$/i, encoding);
    return plain ? chunk : Buffer.from(chunk, encoding as BufferEncoding);
  }
  if (isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const error = new TypeError(
    `The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${typeof chunk}`,
  );
  throw assign(error, { code: "ERR_INVALID_ARG_TYPE" });
}

/** Turns what is written to a stream into lines. */
class LineSplitter {
  readonly #source: LogSource;
  readonly #level: LogLevel;
  readonly #sink: LogSink;
  /** The start of a line whose end has not come, its first maxLine bytes at most. */
  #partial: Buffer = EMPTY;
  /** Bytes of that line beyond those kept. */
  #missing = 0;
  #ending = false;

  constructor(source: LogSource, level: LogLevel, sink: LogSink) {
    this.#source = source;
    this.#level = level;
    this.#sink = sink;
  }

  write(chunk: string | Uint8Array): void {
    const bytes =
      typeof chunk === "string"
        ? Buffer.from(chunk)
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    if (consoleLevel) this.#sendWhole(bytes, consoleLevel);
    else this.#split(bytes);
  }

  /** Sends an unfinished line, and from now on whatever comes: its end may never come. */
  end(): void {
    this.#ending = true;
    this.#finishPartial();
  }

  #finishPartial(): void {
    if (this.#partial.length > 0) this.#finishLine(EMPTY);
  }

  /** A console method writes one message, of one line or more. */
  #sendWhole(bytes: Buffer, level: LogLevel): void {
    this.#finishPartial();
    const end = endsWith(bytes, NEWLINE) ? bytes.length - 1 : bytes.length;
    const call = runningCall();
    this.#sink(metaOf(level, "console", call), cut(subarray(bytes, 0, end), 0), Encoding.Raw);
  }

  #split(bytes: Buffer): void {
    let start = 0;
    for (let end = indexOf(bytes, NEWLINE); end >= 0; end = indexOf(bytes, NEWLINE, start)) {
      this.#finishLine(subarray(bytes, start, end));
      start = end + 1;
    }
    if (start < bytes.length) this.#keep(subarray(bytes, start));
    if (this.#ending) this.#finishPartial();
  }

  #keep(bytes: Buffer): void {
    const kept = subarray(bytes, 0, maxLine - this.#partial.length);
    this.#missing += bytes.length - kept.length;
    this.#partial = Buffer.concat([this.#partial, kept]);
  }

  #finishLine(rest: Buffer): void {
    let line = rest;
    let missing = 0;
    if (this.#partial.length > 0) {
      this.#keep(rest);
      line = this.#partial;
      missing = this.#missing;
      this.#partial = EMPTY;
      this.#missing = 0;
    }
    this.#sendLine(withoutReturn(line), missing);
  }

  #sendLine(line: Buffer, missing: number): void {
    const call = runningCall();
    const level = missing === 0 ? jsonLevel(line) : undefined;
    if (level) this.#sink(metaOf(level, "log", call), line, Encoding.Json);
    else
      this.#sink(
        metaOf(consoleLevel ?? this.#level, this.#source, call),
        cut(line, missing),
        Encoding.Raw,
      );
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

function withoutReturn(line: Buffer): Buffer {
  return endsWith(line, RETURN) ? subarray(line, 0, -1) : line;
}

function endsWith(bytes: Buffer, byte: number): boolean {
  return bytes[bytes.length - 1] === byte;
}

function metaOf(level: LogLevel, source: LogSource, call: Call | undefined): LogMeta {
  const meta: LogMeta = { level, source };
  if (!call) return meta;
  meta.method = call.method;
  if (call.traceId !== undefined) meta.traceId = call.traceId;
  return meta;
}

/** A line of at most `limit` bytes, saying how many are missing. */
function cut(line: Buffer, missing: number, limit = maxLine): Buffer {
  if (missing === 0 && line.length <= limit) return line;
  const kept = min(line.length, limit - 40);
  const note = ` … (${line.length - kept + missing} more bytes)`;
  return Buffer.concat([subarray(line, 0, kept), Buffer.from(note)]);
}

function cutBefore(line: Buffer, note: string): Buffer {
  const end = Buffer.from(note);
  return Buffer.concat([cut(line, 0, maxLine - end.length), end]);
}

const NAMED_LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: "debug",
  silly: "debug",
  verbose: "debug",
  debug: "debug",
  http: "info",
  info: "info",
  notice: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fatal: "error",
  crit: "error",
  critical: "error",
  alert: "error",
  emerg: "error",
};

/** The level of a line that pino, bunyan or winston wrote as JSON; `undefined` for any other line. */
function jsonLevel(line: Buffer): LogLevel | undefined {
  if (line[0] !== 0x7b || !endsWith(line, 0x7d) || line.length > maxLine) return undefined;
  try {
    const { level, msg, message, time } = parseJson(line) as Record<string, unknown>;
    if (msg === undefined && message === undefined && time === undefined) return undefined;
    return levelOf(level);
  } catch {
    return undefined;
  }
}

function levelOf(level: unknown): LogLevel | undefined {
  if (typeof level === "string") return NAMED_LEVELS[lowerCase(level)];
  if (typeof level !== "number") return undefined;
  if (level < 30) return "debug";
  if (level < 40) return "info";
  return level < 50 ? "warn" : "error";
}

/** Sends what currentCall().logger writes: text, or an object with the message as `msg` where there are fields. */
export function printLog(
  sink: LogSink,
  call: Call | undefined,
  level: LogLevel,
  message: string,
  fields?: Record<string, unknown>,
): void {
  const meta = metaOf(level, "log", call);
  const msg = textOf(message);
  const none = fields === undefined || fields === null;
  const record = none ? undefined : encodeRecord({ msg }, fields, maxLine);
  if (record) sink(meta, record, Encoding.Json);
  else sink(meta, cutBefore(Buffer.from(msg), none ? "" : LEFT_OUT), Encoding.Raw);
}
