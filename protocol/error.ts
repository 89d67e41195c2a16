import { types } from "node:util";
import { stringifyJson } from "./codec.ts";
import { describeField, type FieldBudget, newFieldBudget, readProperty } from "./field.ts";
import { MAX_ERROR } from "./frame.ts";
import { filterList, joinTexts, mapList, sliceList } from "./list.ts";
import { decodeObject, MessageError } from "./message.ts";
import { Buffer, matches, sliceText } from "./methods.ts";
import { withoutPrototype } from "./prototype.ts";
import { SafeSet } from "./shielded.ts";

/** Every way a call can end but well. */
export const Code = {
  /** Ran and threw or rejected. */
  Exception: "exception",
  /** Did not run: no such exported function. */
  MethodNotFound: "method_not_found",
  /** Did not run: its argument doesn't decode, or is no list where the convention wants one. */
  InvalidArgument: "invalid_argument",
  /** Ran: its result has no form in the encoding. */
  UnencodableResult: "unencodable_result",
  /** Argument over the limit: did not run. Result over the limit: ran. */
  TooLarge: "too_large",
  /** Did not run: its frame broke a rule of the protocol. */
  ProtocolError: "protocol_error",
  /** Did not run: no worker would take it. */
  WorkerUnavailable: "worker_unavailable",
  /** The code did not load. */
  BootFailed: "boot_failed",
  /** May have run: the worker died. */
  WorkerCrashed: "worker_crashed",
  /** May still run: its time was over. */
  DeadlineExceeded: "deadline_exceeded",
  /** May still run: the caller went away. */
  Canceled: "canceled",
  /** Did not run: waited too long for a worker. */
  QueueTimeout: "queue_timeout",
  /** Did not run: the queue was full. */
  Overloaded: "overloaded",
  /** Did not run: the host was closed. */
  Closed: "closed",
} as const;
/** How a call ended, other than well: one of the protocol's words. A later release may send others. */
export type Code = (typeof Code)[keyof typeof Code];

/** A thrown value as it crosses the bridge, without a code: what a cause is. */
export interface ThrownObject {
  message: string;
  /** The error's name; for a thrown non-Error its `typeof`, for null `null`. */
  name?: string;
  stack?: string;
  cause?: ThrownObject;
  /** An AggregateError's errors. */
  errors?: ThrownObject[];
  /** The error's other own enumerable properties, made JSON. */
  fields?: Record<string, unknown>;
  /** A thrown non-Error, made JSON. */
  value?: unknown;
  /** True when something was left out. */
  truncated?: boolean;
}

/** The payload of an error frame. */
export interface ErrorObject extends ThrownObject {
  code: Code;
}

const MAX_CAUSES = 8;
const MAX_ERRORS = 16;
const MAX_FIELDS = 64;
/** Errors described at most in one tree of causes and errors. */
const MAX_DESCRIBED = 64;
/** Characters kept of one name, one message and one stack. */
const MAX_NAME = 256;
const MAX_MESSAGE = 8_192;
const MAX_STACK = 16_384;
/** Fewer characters of a stack tell nothing. */
const MIN_STACK = 32;
/** Own properties that have their own place in an ErrorObject. */
const PLACED: ReadonlySet<string> = new SafeSet(["name", "message", "stack", "cause", "errors"]);

const { isArray } = Array;
const { isNativeError } = types;
const { create, keys: ownKeys, getOwnPropertyDescriptor } = Object;
const { min } = Math;
const ErrorClass = Error;

/** Describes whatever was thrown. Reads it only through guards, so no getter, Proxy or cycle of its makes it throw. */
export function describeError(thrown: unknown, code: Code = Code.Exception): ErrorObject {
  try {
    const describer = new Describer();
    const described: ErrorObject = withoutPrototype({
      code,
      ...describer.describe(thrown, MAX_CAUSES),
    });
    if (describer.truncated) described.truncated = true;
    return described;
  } catch {
    return withoutPrototype({
      code,
      name: typeof thrown,
      message: "what was thrown can't be read",
    });
  }
}

class Describer {
  /** True once anything was left out. */
  truncated = false;
  readonly #fields: FieldBudget = newFieldBudget();
  /** The errors around the one being described, so that a cycle ends. */
  readonly #around = new SafeSet<unknown>();
  #left = MAX_DESCRIBED;

  describe(thrown: unknown, causesLeft: number): ThrownObject {
    this.#left -= 1;
    const described = isErrorLike(thrown)
      ? this.#describeError(thrown, causesLeft)
      : this.#describeValue(thrown);
    if (this.#fields.truncated) this.truncated = true;
    return described;
  }

  #describeError(error: object, causesLeft: number): ThrownObject {
    const described: ThrownObject = withoutPrototype({ message: "", name: nameOf(error) });
    this.#around.add(error);
    described.message = this.#cut(messageOf(error), MAX_MESSAGE);
    const stack = stackOf(readProperty(error, "stack"));
    if (stack !== undefined) described.stack = this.#cut(stack, MAX_STACK);
    this.#addCause(described, error, causesLeft);
    this.#addErrors(described, error);
    this.#addFields(described, error);
    this.#around.delete(error);
    return described;
  }

  #addCause(described: ThrownObject, error: object, causesLeft: number): void {
    const cause = readProperty(error, "cause");
    if (cause === undefined || cause === null) return;
    if (causesLeft === 0 || this.#refuses(cause)) this.truncated = true;
    else described.cause = this.describe(cause, causesLeft - 1);
  }

  #addErrors(described: ThrownObject, error: object): void {
    const errors = readProperty(error, "errors");
    if (!(isAggregate(error) && isArray(errors))) return;
    const taken = filterList(sliceList(errors, 0, MAX_ERRORS), (one) => !this.#refuses(one));
    if (taken.length < errors.length) this.truncated = true;
    described.errors = mapList(taken, (one) => this.describe(one, MAX_CAUSES));
  }

  #refuses(thrown: unknown): boolean {
    return this.#left <= 0 || this.#around.has(thrown);
  }

  #addFields(described: ThrownObject, error: object): void {
    const placed = (key: string) => PLACED.has(key) && !(key === "errors" && !described.errors);
    const keys = filterList(keysOf(error), (key) => !placed(key));
    if (keys.length > MAX_FIELDS) this.truncated = true;
    for (let i = 0; i < keys.length && i < MAX_FIELDS; i++) {
      const key = keys[i] as string;
      described.fields ??= create(null) as Record<string, unknown>;
      described.fields[sliceText(key, 0, MAX_NAME)] = describeField(error, key, this.#fields);
    }
  }

  #describeValue(thrown: unknown): ThrownObject {
    const described: ThrownObject = withoutPrototype({
      message: this.#cut(messageOfValue(thrown), MAX_MESSAGE),
      name: thrown === null ? "null" : typeof thrown,
    });
    if (thrown !== undefined) {
      described.value = describeField({ value: thrown }, "value", this.#fields);
    }
    return described;
  }

  #cut(text: string, limit: number): string {
    if (text.length <= limit) return text;
    this.truncated = true;
    return `${sliceText(text, 0, limit)}… (${text.length - limit} more characters)`;
  }
}

/** True for errors of any realm, and for objects that carry a stack as errors do. */
function isErrorLike(thrown: unknown): thrown is object {
  if (typeof thrown !== "object" || thrown === null) return false;
  if (isNativeError(thrown)) return true;
  try {
    return thrown instanceof ErrorClass || typeof readProperty(thrown, "stack") === "string";
  } catch {
    return false;
  }
}

function isAggregate(error: object): boolean {
  return (
    readProperty(error, "name") === "AggregateError" ||
    getOwnPropertyDescriptor(error, "errors")?.enumerable === false
  );
}

function messageOf(error: object): string {
  const message = readProperty(error, "message");
  return message === undefined ? "an error without a message that can be read" : textOf(message);
}

function nameOf(error: object): string {
  const name = readProperty(error, "name");
  if (typeof name === "string" && name !== "") return sliceText(name, 0, MAX_NAME);
  const maker = readProperty(error, "constructor");
  const className = typeof maker === "function" ? readProperty(maker, "name") : undefined;
  return typeof className === "string" && className !== ""
    ? sliceText(className, 0, MAX_NAME)
    : "Error";
}

/** A stack is text; code that prepares its own leaves a list of call sites there. */
function stackOf(stack: unknown): string | undefined {
  if (typeof stack === "string") return stack;
  if (!isArray(stack)) return undefined;
  return joinTexts(
    mapList(stack, (site) => `    at ${textOf(site)}`),
    "\n",
  );
}

function messageOfValue(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown !== "object" || thrown === null) return `${textOf(thrown)} was thrown`;
  const message = readProperty(thrown, "message");
  if (typeof message === "string" && message !== "") return message;
  return `an object that is no Error was thrown (keys: ${joinTexts(sliceList(keysOf(thrown), 0, 16), ", ")})`;
}

/** Text of anything; never throws. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return String(value);
  } catch {
    return `[${typeof value} that has no text]`;
  }
}

function keysOf(value: object): string[] {
  try {
    return ownKeys(value);
  } catch {
    return [];
  }
}

/**
 * The payload of an error frame: at most `limit` bytes, 1,024 or more, leaving out what is least needed where it would be
 * more.
 */
export function encodeError(error: ErrorObject, limit: number = MAX_ERROR): Uint8Array {
  for (let i = 0; i < SHRINKS.length; i++) {
    const bytes = bytesOf((SHRINKS[i] as Shrink)(error));
    if (bytes.length <= limit) return bytes;
  }
  return shortenStack(withoutOthers(error), limit) ?? shortenMessage(error, limit);
}

type Shrink = (error: ErrorObject) => ErrorObject;
/** What leaves out ever more. */
const SHRINKS: readonly Shrink[] = [same, withoutInnerDetail, withoutFields, withoutOthers];

function bytesOf(error: ErrorObject): Uint8Array {
  return Buffer.from(stringifyJson(error) ?? "");
}

/** A message is worth more than a stack: halves the stack until both fit. Returns `undefined` where that can't help. */
function shortenStack(error: ErrorObject, limit: number): Uint8Array | undefined {
  const { stack = "", ...rest } = error;
  for (let length = stack.length >> 1; length >= MIN_STACK; length >>= 1) {
    const bytes = bytesOf({ ...rest, stack: sliceText(stack, 0, length) });
    if (bytes.length <= limit) return bytes;
  }
  const bytes = bytesOf(rest);
  return bytes.length <= limit ? bytes : undefined;
}

function same(error: ErrorObject): ErrorObject {
  return error;
}

/** Causes and errors keep their names, the start of their messages and the start of their stacks. */
function withoutInnerDetail(error: ErrorObject): ErrorObject {
  const shrunk: ErrorObject = withoutPrototype({ ...error, truncated: true });
  if (error.cause) shrunk.cause = withoutDetail(error.cause);
  if (error.errors) shrunk.errors = mapList(error.errors, withoutDetail);
  return shrunk;
}

function withoutDetail(thrown: ThrownObject): ThrownObject {
  const shrunk: ThrownObject = withoutPrototype({
    message: sliceText(thrown.message, 0, 512),
    truncated: true,
  });
  if (thrown.name !== undefined) shrunk.name = thrown.name;
  if (thrown.stack !== undefined) shrunk.stack = sliceText(thrown.stack, 0, 1_024);
  if (thrown.cause) shrunk.cause = withoutDetail(thrown.cause);
  return shrunk;
}

function withoutFields(error: ErrorObject): ErrorObject {
  const { fields: _fields, value: _value, ...rest } = withoutInnerDetail(error);
  return rest;
}

function withoutOthers(error: ErrorObject): ErrorObject {
  const { cause: _cause, errors: _errors, ...rest } = withoutFields(error);
  return rest;
}

/** As much of the message as there is room for beside code and name. */
function shortenMessage({ code, message, name }: ErrorObject, limit: number): Uint8Array {
  const rest: Omit<ErrorObject, "message"> = withoutPrototype({ code, truncated: true });
  // Of six bytes at most in JSON, so many characters leave room for a message.
  if (name !== undefined) rest.name = sliceText(name, 0, min(MAX_NAME, limit / 32));
  const starting = (length: number) =>
    bytesOf(withoutPrototype({ ...rest, message: startOf(message, length) }));
  let fits = 0;
  let tooLong = message.length + 1;
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1;
    if (starting(middle).length <= limit) fits = middle;
    else tooLong = middle;
  }
  return starting(fits);
}

/** The first characters of a text, without the half of one that takes two. */
function startOf(text: string, length: number): string {
  const start = sliceText(text, 0, length);
  return matches(/[\ud800-\udbff]$/, start) ? sliceText(start, 0, length - 1) : start;
}

/** Reads an error's payload. Keys of the wrong type are left out. Throws a MessageError without a code or message. */
export function decodeError(payload: Uint8Array): ErrorObject {
  const from = decodeObject("error", payload);
  const { code } = from;
  if (typeof code !== "string" || typeof from["message"] !== "string") {
    throw new MessageError("error: expected code and message to be strings");
  }
  return { code: code as Code, ...decodeThrown(from, MAX_CAUSES) };
}

function decodeThrown(from: Record<string, unknown>, levels: number): ThrownObject {
  const { message, name, stack, cause, errors, fields } = from;
  const thrown: ThrownObject = { message: typeof message === "string" ? message : "" };
  if (typeof name === "string") thrown.name = name;
  if (typeof stack === "string") thrown.stack = stack;
  if (isObject(cause) && levels > 0) thrown.cause = decodeThrown(cause, levels - 1);
  if (isArray(errors) && levels > 0) {
    thrown.errors = mapList(filterList(errors, isObject), (one) =>
      decodeThrown(one as Record<string, unknown>, levels - 1),
    );
  }
  if (isObject(fields)) thrown.fields = fields;
  if (from["value"] !== undefined) thrown.value = from["value"];
  if (from["truncated"] === true) thrown.truncated = true;
  return thrown;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !isArray(value);
}
