import { bytesOf } from "./bytes.ts";
import { describeFormless } from "./formless.ts";
import { Encoding } from "./frame.ts";
import { someItem } from "./list.ts";
import {
  Buffer,
  copyBytes,
  execPattern,
  hasText,
  readText,
  sliceText,
  subarray,
} from "./methods.ts";
import { decodeMsgpack } from "./msgpack-decoder.ts";
import { encodeMsgpack } from "./msgpack-encoder.ts";
import { describeProblem } from "./problem.ts";

/** A value that has no form in an encoding, or bytes that are no value of it. */
export class CodecError extends Error {
  override readonly name: string = "CodecError";
}

const { parse, stringify } = JSON;
const { getOwnPropertyDescriptor } = Object;
const EMPTY: Uint8Array = Buffer.alloc(0);
const nativeArrayPrototype = Array.prototype;
/** A toJSON that old libraries put here makes quoted text of every list and string: see withoutForeignToJson. */
const SHARED_PROTOTYPES: readonly object[] = [
  Array.prototype,
  Object.prototype,
  String.prototype,
  Number.prototype,
  Boolean.prototype,
];

/**
 * Encodes a value. `undefined` becomes no bytes. Throws a CodecError that names where in the value the problem is;
 * `root` is what it calls the value.
 */
export function encodeValue(value: unknown, encoding: Encoding, root = "result"): Uint8Array {
  if (encoding === Encoding.Raw) return encodeRaw(value, root);
  if (encoding === Encoding.Msgpack) return encodeAsMsgpack(value, root);
  const text = encodeJson(value, root);
  return text === undefined ? EMPTY : Buffer.from(text);
}

/** Encodes a value as JSON text; `undefined` for no value. Throws a CodecError as encodeValue does. */
export function encodeJson(value: unknown, root = "result"): string | undefined {
  refuseFormless(value, "json", root);
  try {
    return stringifyJson(value);
  } catch (error) {
    throw new CodecError(describeProblem(value, "json", root, error), { cause: error });
  }
}

function encodeAsMsgpack(value: unknown, root: string): Uint8Array {
  refuseFormless(value, "msgpack", root);
  try {
    return encodeMsgpack(value);
  } catch (error) {
    throw new CodecError(describeProblem(value, "msgpack", root, error), { cause: error });
  }
}

function encodeRaw(value: unknown, root: string): Uint8Array {
  const bytes = bytesOf(value);
  if (bytes) return bytes;
  throw new CodecError(
    `${root}: expected bytes (Buffer, typed array or ArrayBuffer), got ${typeof value}`,
  );
}

function refuseFormless(value: unknown, codec: "json" | "msgpack", root: string): void {
  const reason = describeFormless(value, codec);
  if (reason) throw new CodecError(`${root} is ${reason}`);
}

/**
 * Decodes a payload. No bytes are `undefined`, with raw an empty Buffer. Keeps no view of `payload`. Throws a CodecError.
 */
export function decodeValue(payload: Uint8Array, encoding: Encoding, root = "argument"): unknown {
  if (encoding === Encoding.Raw) return copyBytes(payload);
  if (encoding === Encoding.Json) return decodeJson(payload, 0, payload.length, root);
  return payload.length === 0 ? undefined : decodeAsMsgpack(payload, root);
}

/** Decodes JSON that is a part of `bytes`, as decodeValue does. */
export function decodeJson(
  bytes: Uint8Array,
  start: number,
  end: number,
  root = "argument",
): unknown {
  if (start === end) return undefined;
  try {
    return parseJson(bytes, start, end);
  } catch (error) {
    const reason = reasonWithoutText(error);
    throw new CodecError(`${root} is not JSON (${end - start} bytes): ${reason}`, { cause: error });
  }
}

function decodeAsMsgpack(payload: Uint8Array, root: string): unknown {
  try {
    return decodeMsgpack(payload);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw new CodecError(`${root} is not MessagePack (${payload.length} bytes): ${reason}`, {
      cause: error,
    });
  }
}

/** Parses JSON text as UTF-8. Throws a SyntaxError, also for bytes that are not UTF-8. */
export function parseJson(bytes: Uint8Array, start = 0, end: number = bytes.length): unknown {
  const text = readText(bytes, start, end);
  if (hasText(text, "\ufffd") && !isUtf8(subarray(bytes, start, end), text)) {
    throw new SyntaxError("not UTF-8");
  }
  return parse(text);
}

/** JSON.stringify as it was before user code, and blind to a toJSON on the prototypes that all values share. */
export function stringifyJson(value: unknown): string | undefined {
  return hasForeignToJson() ? stringify(value, withoutForeignToJson) : stringify(value);
}

function isUtf8(bytes: Uint8Array, text: string): boolean {
  return Buffer.compare(Buffer.from(text), bytes) === 0;
}

function hasForeignToJson(): boolean {
  return (
    "toJSON" in nativeArrayPrototype ||
    "toJSON" in String.prototype ||
    "toJSON" in Number.prototype ||
    "toJSON" in Boolean.prototype
  );
}

/** A replacer that takes a value itself where its toJSON came from a shared prototype. */
function withoutForeignToJson(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key];
  if (raw === null || raw === undefined || typeof raw === "bigint") return value;
  const toJson = (raw as { toJSON?: unknown }).toJSON;
  const foreign = someItem(
    SHARED_PROTOTYPES,
    (prototype) => toJson !== undefined && ownToJson(prototype) === toJson,
  );
  return foreign ? raw : value;
}

function ownToJson(prototype: object): unknown {
  return getOwnPropertyDescriptor(prototype, "toJSON")?.value;
}

/** V8 quotes the text in its message, which may hold secrets. */
export function reasonWithoutText(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const reason = before(message, /, (\.\.\.)?"/);
  const token = execPattern(/Unexpected token '?[\s\S]'?/, reason);
  if (!token) return reason;
  const rest = sliceText(reason, token.index + token[0].length);
  return `${sliceText(reason, 0, token.index)}unexpected character${rest}`;
}

function before(text: string, pattern: RegExp): string {
  const found = execPattern(pattern, text);
  return found ? sliceText(text, 0, found.index) : text;
}
