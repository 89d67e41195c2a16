import { bytesOf } from "../protocol/bytes.ts";
import { CodecError, encodeJson, encodeValue, parseJson } from "../protocol/codec.ts";
import { Code, type ErrorObject } from "../protocol/error.ts";
import { Encoding } from "../protocol/frame.ts";
import { sizeOf } from "../protocol/methods.ts";
import type { Connection } from "./connection.ts";
import type { Call } from "./current-call.ts";
import { InFlight } from "./in-flight.ts";
import { Buffer, isUint8Array } from "./intrinsics.ts";
import type { LambdaAnswers } from "./lambda.ts";

const EMPTY: Uint8Array = Buffer.alloc(0);

/** A result as it is sent. */
interface Result {
  encoding: Encoding;
  /** JSON as text. */
  payload: Uint8Array | string;
  /** User code may change the payload. */
  reused: boolean;
}

/** Answers calls with frames, each exactly once, and knows which are in flight. */
export class FrameAnswers implements LambdaAnswers {
  /** Largest payload that the host accepts, in bytes. */
  maxPayload = 0;
  readonly #connection: Connection;
  readonly #inFlight = new InFlight();
  readonly #onAnswered: () => void;
  readonly #onLate: (call: Call, what: string) => void;

  constructor(
    connection: Connection,
    onAnswered: () => void,
    onLate: (call: Call, what: string) => void,
  ) {
    this.#connection = connection;
    this.#onAnswered = onAnswered;
    this.#onLate = onLate;
  }

  /** How many calls have no answer yet. */
  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** Notes a call that will be answered. */
  add(call: Call): void {
    this.#inFlight.add(call);
  }

  /** The call with an id, while it has no answer. */
  find(id: number): Call | undefined {
    return this.#inFlight.get(id);
  }

  result(call: Call, value: unknown): void {
    if (call.answered) return;
    const result = this.#encode(call, value);
    // Not in reach of the catch around encoding: an error must not follow a part of a reply.
    if (result === undefined) return;
    if (this.#send(call, result)) this.#answered(call);
    else this.error(call, this.#tooLarge(call));
  }

  text(call: Call, json: string): void {
    if (call.accept !== Encoding.Json) this.result(call, parseJson(Buffer.from(json)));
    else if (this.#connection.replyText(call.id, json, this.maxPayload)) this.#answered(call);
    else this.error(call, this.#tooLarge(call));
  }

  typedBytes(call: Call, bytes: Uint8Array, contentType: string): void {
    if (call.answered) return;
    if (sizeOf(bytes) > this.maxPayload) {
      this.error(call, this.#tooLarge(call));
      return;
    }
    this.#connection.replyBytes(call.id, bytes, contentType);
    this.#answered(call);
  }

  error(call: Call, error: ErrorObject): void {
    if (call.answered) return;
    this.#connection.sendError(call.id, error);
    this.#answered(call);
  }

  /** When nothing is running any more, whoever waits gets his answer at once. */
  pause(): void {
    if (this.inFlight === 0) this.#connection.flush();
  }

  late(call: Call, what: string): void {
    this.#onLate(call, what);
  }

  /** Returns `undefined` for a value that has no form, whose call has its answer then. */
  #encode(call: Call, value: unknown): Result | undefined {
    try {
      return encodeResult(value, call.accept);
    } catch (error) {
      this.error(call, unencodable(call, error));
      return undefined;
    }
  }

  /** Returns false, and sends nothing, for a result over the host's limit. */
  #send(call: Call, { encoding, payload, reused }: Result): boolean {
    if (typeof payload === "string") {
      return this.#connection.replyText(call.id, payload, this.maxPayload);
    }
    if (sizeOf(payload) > this.maxPayload) return false;
    this.#connection.reply(call.id, encoding, payload, reused);
    return true;
  }

  #answered(call: Call): void {
    call.answered = true;
    this.#inFlight.remove(call);
    this.#onAnswered();
  }

  #tooLarge(call: Call): ErrorObject {
    return {
      code: Code.TooLarge,
      message: `the result of "${call.method}" has more than the ${this.maxPayload} bytes that the host accepts: raise its MaxPayload, or return less`,
    };
  }
}

function encodeResult(value: unknown, accept: Encoding): Result {
  const bytes = isUint8Array(value) && sizeOf(value) > 0 ? value : bytesOf(value); // which refuses detached ones
  if (bytes) return { encoding: Encoding.Raw, payload: bytes, reused: true };
  if (accept === Encoding.Msgpack) {
    return { encoding: accept, payload: encodeValue(value, accept), reused: false };
  }
  return { encoding: Encoding.Json, payload: encodeJson(value) ?? EMPTY, reused: false };
}

/** Describes why a result could not be encoded. */
export function unencodable(call: Call, error: unknown): ErrorObject {
  const reason = error instanceof CodecError ? error.message : "the result can't be read";
  return { code: Code.UnencodableResult, message: `"${call.method}": ${reason}` };
}
