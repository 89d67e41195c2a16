import type { Writable } from "node:stream";
import { bytesOf } from "../protocol/bytes.ts";
import { CodecError, decodeValue, stringifyJson } from "../protocol/codec.ts";
import { Encoding } from "../protocol/frame.ts";
import { type LineRequest, lineRequestSchema } from "../protocol/schema.ts";
import { type Code, type ErrorObject, RootbridgeError } from "./error.ts";
import type { CallOptions } from "./request.ts";

/** What answers requests: a Host, or something in front of it. */
export interface Callee {
  call(method: string, data: unknown, options: CallOptions): Promise<unknown>;
}

/** One line of the output. */
interface Answer {
  data?: unknown;
  encoding?: "base64";
  error?: ErrorObject;
  trace_id?: string;
}

/** Longest line, in bytes. */
const lineLimit = 33_554_432;
/** Requests that run or wait for their turn to be answered; further lines are not read meanwhile. */
const window = 64;
/** Node's timers take no longer time, in milliseconds. */
const longestTimeout = 2_147_483_647;

/**
 * Line mode: each line of the input is a request, each line of the output its answer, in the order
 * of the requests. Settles after the last answer: with false if that was an error.
 */
export async function serveLines(
  callee: Callee,
  input: AsyncIterable<Uint8Array>,
  output: Writable,
): Promise<boolean> {
  let last = Promise.resolve(true);
  const turns: Promise<boolean>[] = [];
  for await (const line of splitLines(input)) {
    const answer = answerLine(callee, line);
    last = last.then(async () => write(output, await answer));
    turns.push(last);
    if (turns.length >= window) await turns.shift();
  }
  return last;
}

const tooLong = Symbol("too long");
type Line = Uint8Array | typeof tooLong;

/** Cuts the input at line ends. Leaves out empty lines and what is over the limit. */
async function* splitLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array): void => {
    length += part.length;
    if (length <= lineLimit) parts.push(part);
    else parts = [];
  };
  const take = (): Line => {
    const line = length > lineLimit ? tooLong : Buffer.concat(parts);
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (!isBlank(line)) yield line;
    }
    add(chunk.subarray(start));
  }
  const rest = take();
  if (!isBlank(rest)) yield rest;
}

/** True for nothing but JSON's white space. */
function isBlank(line: Line): boolean {
  return line !== tooLong && line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

async function answerLine(callee: Callee, line: Line): Promise<Answer> {
  let traceId: string | undefined;
  try {
    const value = parse(line);
    traceId = traceIdOf(value);
    const { method, data, timeout } = check(value);
    const limit = timeout === undefined ? undefined : Math.min(timeout, longestTimeout);
    const result = await callee.call(method, data, { timeout: limit, traceId });
    return { ...answerOf(result), ...traced(traceId) };
  } catch (error) {
    if (!(error instanceof RootbridgeError)) throw error;
    return { error: error.toJSON(), ...traced(traceId) };
  }
}

function parse(line: Line): unknown {
  if (line === tooLong) throw failure("too_large", `line: expected at most ${lineLimit} bytes`);
  try {
    return decodeValue(line, Encoding.Json, "line");
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw failure("invalid_argument", error.message);
  }
}

function traceIdOf(value: unknown): string | undefined {
  const id = typeof value === "object" && value !== null && Reflect.get(value, "trace_id");
  return typeof id === "string" ? id : undefined;
}

function check(value: unknown): LineRequest {
  const checked = lineRequestSchema.safeParse(value);
  if (checked.success) return checked.data;
  const issues = checked.error.issues.map(({ path, message }) => [...path, message].join(": "));
  throw failure("invalid_argument", `line: ${issues.join("; ")}`);
}

/** JSON has no bytes. */
function answerOf(result: unknown): Answer {
  const bytes = bytesOf(result);
  if (bytes === undefined) return { data: result };
  return { data: Buffer.from(bytes).toString("base64"), encoding: "base64" };
}

function traced(traceId: string | undefined): Answer {
  return traceId === undefined ? {} : { trace_id: traceId };
}

/** Waits until the output has taken the line. Whoever owns the output sees its errors. */
function write(output: Writable, answer: Answer): Promise<boolean> {
  return new Promise((resolve) => {
    output.write(`${stringifyJson(answer)}\n`, () => resolve(answer.error === undefined));
  });
}

function failure(code: Code, message: string): RootbridgeError {
  return new RootbridgeError({ code, message });
}
