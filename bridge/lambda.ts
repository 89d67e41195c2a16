import { parseJson, stringifyJson } from "../protocol/codec.ts";
import { Code, type ErrorObject, textOf } from "../protocol/error.ts";
import { readProperty } from "../protocol/field.ts";
import { append, mapList, someItem } from "../protocol/list.ts";
import type { LambdaRuntime } from "../protocol/message.ts";
import { eachEntry } from "../protocol/methods.ts";
import type { Call } from "./current-call.ts";
import { Buffer, SafeMap } from "./intrinsics.ts";
import type { Answers } from "./invoke.ts";
import { CallbackInvocation } from "./lambda-callback.ts";
import { type Carried, carriedBy } from "./lambda-context.ts";
import {
  describeLambdaError,
  describeNeverSettled,
  LambdaError,
  refuseTextless,
  withoutFrames,
} from "./lambda-error.ts";
import { checkHandler, type Handler, isStreaming } from "./lambda-handler.ts";
import { PromiseInvocation } from "./lambda-promise.ts";
import { StreamInvocation } from "./lambda-stream.ts";
import { keepListening } from "./listeners.ts";

/** Takes the outcome of each invocation, once. */
export interface LambdaAnswers extends Answers {
  /** A result that is JSON text already. */
  text(call: Call, json: string): void;
  /** Bytes whose type is known. */
  typedBytes(call: Call, bytes: Uint8Array, contentType: string): void;
  /** Largest payload that the host accepts, in bytes. */
  readonly maxPayload: number;
}

/** What invocations need of the process. */
export interface Environment {
  /** Lets the event loop end although the host may still say something, or not. */
  setHoldsLoop(holds: boolean): void;
  /** Ends the worker, and so what is in flight. */
  end(reason: ErrorObject, exitCode: number): void;
}

/** An invocation that runs. */
export interface Invocation {
  start(handler: Handler, event: unknown): void;
  /** Nothing is left that could go on. */
  onEmptyLoop(): void;
  /** True where an empty loop means nothing. */
  readonly holdsLoop: boolean;
}

/** What a handler has streamed: bytes, of a type if it has set one, or an HTTP response. */
export type Streamed =
  | { readonly bytes: Uint8Array; readonly contentType: string | undefined }
  | { readonly response: Record<string, unknown> };

/** How an invocation ends. */
export interface Ending {
  readonly call: Call;
  readonly runtime: LambdaRuntime;
  /** Throws an Error, as Lambda's client does, for a result that has no JSON form. */
  succeed(result: unknown): void;
  /** Sends bytes, or an HTTP response, that were streamed. */
  succeedWith(streamed: Streamed): void;
  fail(thrown: unknown): void;
  /** What was streamed is more than the host accepts. */
  tooLarge(): void;
  /** The invocation can't end any more. */
  exit(): void;
  late(what: string): void;
}

interface Running {
  call: Call;
  invocation: Invocation;
}

/** Largest result in bytes, as on Lambda. */
const MAX_RESULT = 6_291_556;

/** Invokes Lambda handlers, by the rules of AWS's runtime interface client: 3.x for nodejs22.x, 4.x for nodejs24.x. */
export class Lambda {
  readonly #runtime: LambdaRuntime;
  readonly #answers: LambdaAnswers;
  readonly #environment: Environment;
  readonly #running = new SafeMap<Call, Invocation>();
  #listens = false;

  constructor(runtime: LambdaRuntime, answers: LambdaAnswers, environment: Environment) {
    this.#runtime = runtime;
    this.#answers = answers;
    this.#environment = environment;
  }

  /** Starts an invocation. Its outcome goes to the answers, maybe at once. */
  invoke(call: Call, handler: Handler, argument: unknown): void {
    let event: unknown;
    try {
      event = eventOf(argument);
    } catch (error) {
      this.#answers.error(call, notJson(call, error));
      return;
    }
    try {
      this.#start(call, handler, event);
    } catch (thrown) {
      this.#fail(call, thrown);
    }
  }

  #start(call: Call, handler: Handler, event: unknown): void {
    checkHandler(handler, this.#runtime);
    const invocation = this.#invocationOf(call, handler, carriedBy(call));
    this.#running.set(call, invocation);
    this.#watchLoop();
    invocation.start(handler, event);
  }

  #invocationOf(call: Call, handler: Handler, carried: Carried): Invocation {
    const ending = this.#endingOf(call);
    if (isStreaming(handler)) {
      return new StreamInvocation(ending, carried, this.#answers.maxPayload);
    }
    if (this.#runtime === "nodejs24.x") return new PromiseInvocation(ending, carried);
    return new CallbackInvocation(ending, carried);
  }

  #endingOf(call: Call): Ending {
    return {
      call,
      runtime: this.#runtime,
      succeed: (result) => this.#succeed(call, result),
      succeedWith: (streamed) => {
        if (!call.answered) this.#answerStreamed(call, streamed);
        this.#ended(call);
      },
      fail: (thrown) => {
        refuseTextless(thrown, this.#runtime);
        this.#fail(call, thrown);
      },
      tooLarge: () => {
        this.#answers.error(call, streamTooLarge(this.#answers.maxPayload));
        this.#ended(call);
      },
      exit: () => this.#environment.end(describeNeverSettled(call), 0),
      late: (what) => this.#answers.late(call, what),
    };
  }

  #succeed(call: Call, result: unknown): void {
    const text = jsonOf(result, this.#runtime);
    if (call.answered) return;
    if (isTooLarge(text)) this.#answers.error(call, tooLarge());
    else this.#answers.text(call, text);
    this.#ended(call);
  }

  #answerStreamed(call: Call, streamed: Streamed): void {
    if ("response" in streamed) this.#answers.result(call, streamed.response);
    else if (streamed.contentType === undefined) this.#answers.result(call, streamed.bytes);
    else this.#answers.typedBytes(call, streamed.bytes, streamed.contentType);
  }

  #fail(call: Call, thrown: unknown): void {
    const error = describeLambdaError(thrown, this.#runtime);
    if (call.answered) this.#answers.late(call, `failed after its answer: ${error.message}`);
    else this.#answers.error(call, error);
    this.#ended(call);
  }

  #ended(call: Call): void {
    this.#running.delete(call);
    this.#holdLoop();
  }

  /** An error that nothing caught belongs to what is running: on Lambda to the one invocation that is. */
  failRunning(error: ErrorObject): void {
    mapList(this.#all(), ({ call }) => {
      this.#answers.error(call, { ...error, code: Code.Exception });
      this.#running.delete(call);
    });
  }

  #watchLoop(): void {
    if (!this.#listens) keepListening("beforeExit", () => this.#onEmptyLoop());
    this.#listens = true;
    this.#holdLoop();
  }

  #onEmptyLoop(): void {
    mapList(this.#all(), ({ invocation }) => invocation.onEmptyLoop());
    this.#holdLoop();
  }

  /** While an invocation could end by an empty loop, the host's pipe must not keep it from being empty. */
  #holdLoop(): void {
    const mayEnd = someItem(this.#all(), ({ invocation }) => !invocation.holdsLoop);
    this.#environment.setHoldsLoop(!mayEnd);
  }

  #all(): Running[] {
    const all: Running[] = [];
    eachEntry(this.#running, (invocation, call) => append(all, { call, invocation }));
    return all;
  }
}

/** Lambda hands over JSON, of which nothing means an empty object. */
function eventOf(argument: unknown): unknown {
  if (argument === undefined) return {};
  return argument instanceof Uint8Array ? parseJson(argument) : argument;
}

function notJson(call: Call, error: unknown): ErrorObject {
  const reason = textOf(readProperty(error as object, "message"));
  return {
    code: Code.InvalidArgument,
    message: `"${call.method}" is called with convention lambda: expected raw bytes to be JSON text: ${reason}`,
  };
}

/** The result as Lambda's client writes it: also bytes, as an object. */
function jsonOf(result: unknown, runtime: LambdaRuntime): string {
  const text = stringify(result === undefined ? null : result, runtime);
  // A function or a symbol, which the client hands on as it is.
  if (text === undefined) throw withoutFrames(new TypeError("Wrong arguments"));
  return text;
}

function stringify(result: unknown, runtime: LambdaRuntime): string | undefined {
  try {
    return stringifyJson(result);
  } catch (cause) {
    const message = "Unable to stringify response body";
    if (runtime === "nodejs24.x") throw new LambdaError("JSONStringifyError", message, { cause });
    throw withoutFrames(new Error(message, { cause }));
  }
}

function isTooLarge(text: string): boolean {
  return text.length * 3 > MAX_RESULT && Buffer.from(text).length > MAX_RESULT;
}

function streamTooLarge(limit: number): ErrorObject {
  return {
    code: Code.TooLarge,
    name: "Function.ResponseSizeTooLarge",
    message: `more than the ${limit} bytes that the host accepts were streamed: raise its MaxPayload, or stream less`,
  };
}

function tooLarge(): ErrorObject {
  return {
    code: Code.TooLarge,
    name: "Function.ResponseSizeTooLarge",
    message: `Response payload size exceeded maximum allowed payload size (${MAX_RESULT} bytes).`,
  };
}
