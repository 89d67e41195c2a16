import { Writable } from "node:stream";
import { parseJson, stringifyJson } from "../protocol/codec.ts";
import { append } from "../protocol/list.ts";
import { base64, copyBytes, indexOf, readText, subarray } from "../protocol/methods.ts";
import {
  apply,
  Buffer,
  defineProperty,
  NativePromise,
  nativeProcess,
  nativeThen,
} from "./intrinsics.ts";
import type { Ending, Invocation, Streamed } from "./lambda.ts";
import { type Carried, fillContext } from "./lambda-context.ts";
import { LambdaError } from "./lambda-error.ts";
import { type Handler, isThenable, markStreaming, receiver } from "./lambda-handler.ts";

/** The status and headers of a streamed HTTP response. */
type Prelude = Record<string, unknown>;

const DELIMITER = "\0\0\0\0\0\0\0\0";
const PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";

/** Gives handlers the global `awslambda`, unless they have asked Lambda not to. */
export function provideAwslambda(): void {
  const refusal = nativeProcess.env["AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA"];
  if (refusal === "1" || refusal === "true") return;
  const value = { streamifyResponse: markStreaming, HttpResponseStream };
  defineProperty(globalThis, "awslambda", {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

const HttpResponseStream = {
  /** Gives a response its status and headers. */
  from(stream: ResponseStream, prelude: Prelude): ResponseStream {
    stream.setContentType(PRELUDE_TYPE);
    const copy = parseJson(Buffer.from(stringifyJson(prelude) ?? "{}"));
    stream.prelude = (copy ?? {}) as Prelude;
    return stream;
  },
};

/** What a handler writes to. It keeps everything until the end: there are no streams to the host yet. */
class ResponseStream extends Writable {
  prelude: Prelude | undefined;
  /** Frameworks write a prelude of their own by it. */
  _onBeforeFirstWrite?: (write: (chunk: unknown) => boolean) => void;
  /** Calls back when more than maxSize bytes were written. */
  readonly #onTooLarge: () => void;
  readonly #maxSize: number;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #isWritten = false;
  #contentType: string | undefined;

  constructor(maxSize: number, onTooLarge: () => void) {
    super({ decodeStrings: true });
    this.#maxSize = maxSize;
    this.#onTooLarge = onTooLarge;
  }

  setContentType(type: unknown): void {
    if (this.#isWritten) {
      throw new LambdaError("InvalidStreamingOperation", "Cannot set content-type, too late.");
    }
    this.#contentType = typeof type === "string" ? type : undefined;
  }

  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    (chunk as { length?: unknown }).length; // Lambda's client looks, which null and undefined don't survive
    const isFirst = !this.#isWritten;
    this.#isWritten = true;
    if (isFirst) this._onBeforeFirstWrite?.((first) => super.write(first));
    const isData = typeof chunk === "string" || chunk instanceof Uint8Array;
    return super.write(isData ? chunk : stringifyJson(chunk), encoding as never, done as never);
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxSize) this.#onTooLarge();
    else append(this.#chunks, chunk);
    done();
  }

  /** All that was written. An HTTP response is as API Gateway takes it from a handler that does not stream. */
  streamed(): Streamed {
    const all = Buffer.concat(this.#chunks);
    const contentType = this.#contentType;
    const { prelude, bytes } =
      this.prelude === undefined && contentType === PRELUDE_TYPE
        ? splitPrelude(all)
        : { prelude: this.prelude, bytes: all };
    if (prelude === undefined) return { bytes, contentType };
    const text = readText(bytes);
    const isText = Buffer.compare(Buffer.from(text), bytes) === 0;
    const body = { body: isText ? text : base64(bytes), isBase64Encoded: !isText };
    return { response: { ...prelude, statusCode: prelude["statusCode"] ?? 200, ...body } };
  }
}

/** An invocation of a handler that awslambda.streamifyResponse has marked. */
export class StreamInvocation implements Invocation {
  readonly holdsLoop = true;
  readonly #ending: Ending;
  readonly #carried: Carried;
  readonly #stream: ResponseStream;

  constructor(ending: Ending, carried: Carried, maxSize: number) {
    this.#ending = ending;
    this.#carried = carried;
    this.#stream = new ResponseStream(maxSize, () => this.#ending.tooLarge());
  }

  start(handler: Handler, event: unknown): void {
    void this.#run(handler, event);
  }

  /** Lambda waits for the stream's end, whatever may still bring it. */
  onEmptyLoop(): void {}

  async #run(handler: Handler, event: unknown): Promise<void> {
    const finished = new NativePromise<void>((resolve, reject) => {
      this.#stream.once("finish", resolve);
      this.#stream.once("error", reject);
      this.#stream.once("close", () => reject(unfinished()));
    });
    apply(nativeThen, finished, [undefined, () => {}]); // awaited below, if at all
    try {
      const context = fillContext(this.#context(), this.#carried, this.#ending.runtime);
      const returned = apply(handler, receiver, [event, this.#stream, context]);
      if (!isThenable(returned)) throw this.#refusal();
      if ((await returned) !== undefined)
        this.#ending.late("Streaming handlers ignore return values.");
      await finished;
      this.#ending.succeedWith(this.#stream.streamed());
    } catch (thrown) {
      // What has ended reaches its client, on Lambda.
      if (this.#stream.writableEnded) await this.#endAnyway(finished);
      this.#ending.fail(thrown);
    }
  }

  async #endAnyway(finished: Promise<void>): Promise<void> {
    try {
      await finished;
      this.#ending.succeedWith(this.#stream.streamed());
    } catch {
      // It was destroyed: the handler's own error says more.
    }
  }

  #context(): Record<string, unknown> {
    return this.#ending.runtime === "nodejs24.x" ? {} : { callbackWaitsForEmptyEventLoop: true };
  }

  /** The older client throws text. */
  #refusal(): unknown {
    const text = "Streaming does not support non-async handlers.";
    return this.#ending.runtime === "nodejs24.x" ? new Error(text) : text;
  }
}

/** What frameworks write that do without HttpResponseStream: a prelude of JSON, eight zero bytes, the body. */
function splitPrelude(all: Buffer): { prelude: Prelude | undefined; bytes: Buffer } {
  const end = indexOf(all, DELIMITER);
  if (end < 0) return { prelude: undefined, bytes: all };
  try {
    const prelude = parseJson(subarray(all, 0, end)) as Prelude | null;
    return { prelude: prelude ?? {}, bytes: copyBytes(all, end + DELIMITER.length) };
  } catch {
    return { prelude: undefined, bytes: all };
  }
}

function unfinished(): Error {
  return new Error("Response stream is not finished.");
}
