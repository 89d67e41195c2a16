import { bytesOf, CodecError, encodeJson, encodeValue } from "../protocol/codec.ts";
import { Code, type ErrorObject } from "../protocol/error.ts";
import { Encoding } from "../protocol/frame.ts";
import type { Connection } from "./connection.ts";
import type { Call } from "./current-call.ts";
import { Buffer } from "./intrinsics.ts";
import type { Answers } from "./invoke.ts";

const EMPTY: Uint8Array = Buffer.alloc(0);

/** Answers calls with frames, each exactly once, and knows which are in flight. */
export class FrameAnswers implements Answers {
  /** Largest payload that the host accepts, in bytes. */
  maxPayload = 0;
  readonly #connection: Connection;
  readonly #inFlight = new Map<number, Call>();
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
    return this.#inFlight.size;
  }

  /** Notes a call that will be answered. */
  add(call: Call): void {
    this.#inFlight.set(call.id, call);
  }

  /** The call with an id, while it has no answer. */
  find(id: number): Call | undefined {
    return this.#inFlight.get(id);
  }

  result(call: Call, value: unknown): void {
    if (call.answered) return;
    try {
      const sent = this.#reply(call, value);
      if (sent) this.#answered(call);
      else this.error(call, this.#tooLarge(call));
    } catch (error) {
      this.error(call, unencodable(call, error));
    }
  }

  error(call: Call, error: ErrorObject): void {
    if (call.answered) return;
    this.#connection.sendError(call.id, error);
    this.#answered(call);
  }

  late(call: Call, what: string): void {
    this.#onLate(call, what);
  }

  /** Returns false for a result over the host's limit. */
  #reply(call: Call, value: unknown): boolean {
    const bytes = bytesOf(value);
    if (bytes) return this.#replyBytes(call, Encoding.Raw, bytes, true);
    if (call.accept === Encoding.Msgpack) {
      return this.#replyBytes(call, Encoding.Msgpack, encodeValue(value, Encoding.Msgpack), false);
    }
    const text = encodeJson(value);
    if (text === undefined) return this.#replyBytes(call, Encoding.Json, EMPTY, false);
    return this.#connection.replyText(call.id, text, this.maxPayload);
  }

  #replyBytes(call: Call, encoding: Encoding, payload: Uint8Array, reused: boolean): boolean {
    if (payload.length > this.maxPayload) return false;
    this.#connection.reply(call.id, encoding, payload, reused);
    return true;
  }

  #answered(call: Call): void {
    call.answered = true;
    this.#inFlight.delete(call.id);
    this.#onAnswered();
  }

  #tooLarge(call: Call): ErrorObject {
    return {
      code: Code.TooLarge,
      message: `the result of "${call.method}" has more than the ${this.maxPayload} bytes that the host accepts: raise its MaxPayload, or return less`,
    };
  }
}

/** Describes why a result could not be encoded. */
export function unencodable(call: Call, error: unknown): ErrorObject {
  const reason = error instanceof CodecError ? error.message : "the result can't be read";
  return { code: Code.UnencodableResult, message: `"${call.method}": ${reason}` };
}
