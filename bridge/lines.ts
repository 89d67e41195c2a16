import { bytesOf } from "../protocol/bytes.ts";
import { encodeJson, parseJson, stringifyJson } from "../protocol/codec.ts";
import { Code, type ErrorObject, encodeError, textOf } from "../protocol/error.ts";
import { Encoding } from "../protocol/frame.ts";
import type { LogLevel } from "../protocol/message.ts";
import { base64, copyBytes, readText } from "../protocol/methods.ts";
import { unencodable } from "./answers.ts";
import { describeBootError, describeNeverSettled } from "./boot-error.ts";
import { Call, shareCurrentCall } from "./current-call.ts";
import { describeExitCall, describeFatal, FAILING_GRACE, watchEndings } from "./ending.ts";
import type { Input } from "./input.ts";
import {
  Buffer,
  clearTimeout,
  epochNow,
  exitProcess,
  isArray,
  min,
  nativeProcess,
  SafeMap,
  setTimeout,
  writeStderr,
  writeSync,
} from "./intrinsics.ts";
import { type Answers, Invoker } from "./invoke.ts";
import { LineReader } from "./line-reader.ts";
import { loadFile } from "./loader.ts";
import { encodeRecord, LEFT_OUT } from "./log-record.ts";
import { Output } from "./output.ts";
import { Queue } from "./queue.ts";
import { printToStderr } from "./redirect.ts";
import { watchReplacement } from "./replacement.ts";
import { SIGNAL } from "./signal.ts";

/** A request's place among the answers, which keep the order of the requests. */
interface Slot {
  traceId?: string | undefined;
  /** The answer, once it is there. */
  answer?: string;
  failed?: boolean;
  timer?: NodeJS.Timeout;
}

/** What a line asks for. */
interface Request {
  method: string;
  data: unknown;
  timeout?: number;
  traceId?: string;
}

const NO_FILE = "expected a FILE argument";
const WRONG_USAGE = 2;
const isFiniteNumber: (value: unknown) => value is number = Number.isFinite as never;
/** Node's timers take no longer time, in milliseconds. */
const LONGEST_TIMER = 2_147_483_647;

/** Requests and answers as lines of JSON, for a shell or a small program. */
export class LineMode implements Answers {
  readonly #input: Input;
  readonly #output: Output;
  readonly #file: string;
  #started = false;
  readonly #reader = new LineReader((line) => this.#onLine(line));
  /** Requests in their order whose answers are not written yet. */
  readonly #slots = new Queue<Slot>();
  readonly #slotOf = new SafeMap<Call, Slot>();
  /** Lines that came before the code was loaded. */
  readonly #early = new Queue<{ line: Uint8Array | undefined }>();
  #invoker: Invoker | undefined;
  #bootError: ErrorObject | undefined;
  #inputEnded = false;
  /** Exit handlers run: to end once more would leave out the others. */
  #isEnding = false;
  #failing = false;
  #lastFailed = false;
  #ids = 0;

  constructor(input: Input, outputDescriptor: number, file: string | undefined) {
    this.#input = input;
    this.#output = new Output(outputDescriptor, {
      onGone: () => exitProcess(0),
      onBacklog: () => this.#endIfDone(),
    });
    this.#file = file ?? this.#refuseUsage();
  }

  /** Reads a piece of input. */
  read(chunk: Uint8Array): void {
    this.#reader.push(chunk);
    if (this.#started) return;
    this.#started = true;
    void this.#load(this.#file);
  }

  /** The input has ended. */
  end(): void {
    this.#reader.end();
    this.#inputEnded = true;
    this.#endIfDone();
  }

  #refuseUsage(): never {
    writeSync(2, `rootbridge worker: ${NO_FILE}\n`);
    return exitProcess(WRONG_USAGE);
  }

  async #load(file: string): Promise<void> {
    const stuck = () => this.#onEmptyLoop(file);
    nativeProcess.on("beforeExit", stuck);
    shareCurrentCall((call, level, message, fields) => print(call, level, message, fields));
    watchEndings({
      onFatal: (error, origin) => this.#onFatal(error, origin, file),
      onExitCalled: (exit) => this.#onExitCalled(exit),
      onExit: () => this.#onExit(),
    });
    watchReplacement(sayIrreplaceable);
    printToStderr();
    this.#input.setHoldsLoop(false);
    try {
      const { exports } = await loadFile(file);
      this.#invoker = new Invoker(exports, this);
    } catch (error) {
      this.#bootError ??= describeBootError(error, file);
    }
    this.#loaded();
  }

  #loaded(): void {
    this.#input.setHoldsLoop(true);
    // One by one, so that the worker does not end before the last.
    for (let early = this.#early.shift(); early; early = this.#early.shift()) {
      this.#onLine(early.line);
    }
    this.#endIfDone();
  }

  #onLine(line: Uint8Array | undefined): void {
    if (line && isBlank(line)) return;
    if (!(this.#invoker || this.#bootError)) {
      this.#early.push({ line: line && copyBytes(line) });
      return;
    }
    const slot: Slot = {};
    this.#slots.push(slot);
    const refusal = this.#start(line, slot);
    if (refusal) this.#answerError(slot, refusal);
  }

  /** Returns why the request was refused, if it was. */
  #start(line: Uint8Array | undefined, slot: Slot): ErrorObject | undefined {
    const { request, traceId } = line ? parseLine(line) : { request: lineTooLong() };
    slot.traceId = traceId;
    if ("code" in request) return request;
    if (this.#bootError) return this.#bootError;
    if (this.#failing) return unavailable();
    this.#ids += 1;
    const call = new Call(this.#ids, request, Encoding.Json, epochNow());
    this.#slotOf.set(call, slot);
    if (request.timeout !== undefined) this.#startTimer(call, slot, request.timeout);
    this.#invoker?.start(call, "value", request.data);
    return undefined;
  }

  #startTimer(call: Call, slot: Slot, timeout: number): void {
    const expire = (): void => {
      call.cancel("deadline_exceeded");
      this.error(call, deadlineExceeded(call.method, timeout));
    };
    slot.timer = setTimeout(expire, min(timeout, LONGEST_TIMER));
  }

  result(call: Call, value: unknown): void {
    try {
      this.#settle(call, dataPart(value), false);
    } catch (error) {
      this.error(call, unencodable(call, error));
    }
  }

  error(call: Call, error: ErrorObject): void {
    this.#settle(call, errorPart(error), true);
  }

  /** Lines are written as they come. */
  pause(): void {}

  late(call: Call, what: string): void {
    print(call, "warn", `"${call.method}" ${what}`);
  }

  #settle(call: Call, part: string, failed: boolean): void {
    const slot = this.#slotOf.get(call);
    if (!slot || call.answered) return;
    call.answered = true;
    this.#slotOf.delete(call);
    this.#answer(slot, part, failed);
  }

  #answerError(slot: Slot, error: ErrorObject): void {
    this.#answer(slot, errorPart(error), true);
  }

  #answer(slot: Slot, part: string, failed: boolean): void {
    clearTimeout(slot.timer);
    const trace = slot.traceId === undefined ? "" : `"trace_id":${stringifyJson(slot.traceId)}`;
    slot.answer = `{${part}${part && trace ? "," : ""}${trace}}\n`;
    slot.failed = failed;
    this.#writeAnswers();
    this.#endIfDone();
  }

  /** Writes the answers whose turn it is. */
  #writeAnswers(): void {
    for (let slot = this.#slots.first; slot?.answer !== undefined; slot = this.#slots.first) {
      this.#slots.shift();
      this.#lastFailed = slot.failed ?? false;
      this.#output.write(Buffer.from(slot.answer));
    }
  }

  #onExit(): void {
    this.#isEnding = true;
    this.#output.flushFinally();
  }

  #endIfDone(): void {
    if (this.#isEnding || this.#slots.first || this.#early.first) return;
    if (!(this.#invoker || this.#bootError)) return;
    // Whoever reads may take his time, as a pager does.
    if (this.#inputEnded && this.#output.backlog === 0) exitProcess(this.#lastFailed ? 1 : 0);
  }

  /** Nothing is open any more: what is pending stays so for ever. */
  #onEmptyLoop(file: string): void {
    if (!(this.#invoker || this.#bootError)) {
      this.#bootError = describeNeverSettled(file);
      this.#loaded();
    }
    this.#answerAll((method) => ({
      code: Code.Exception,
      message: `"${method}" never settled, and nothing is left that could settle it`,
    }));
  }

  #onFatal(thrown: unknown, origin: string, file: string): void {
    if (!this.#invoker) {
      this.#bootError ??= describeBootError(thrown, file);
      this.#loaded();
      return;
    }
    const error = describeFatal(thrown, origin);
    writeSync(2, `${error.stack ?? error.message}\n`);
    if (this.#failing) return;
    this.#failing = true;
    setTimeout(() => this.#answerAll(() => error), FAILING_GRACE);
  }

  #onExitCalled(exit: Error): number | undefined {
    if (!(this.#slots.first || this.#early.first)) return undefined;
    const error = describeExitCall(exit, !this.#invoker);
    if (!this.#invoker) {
      this.#bootError = error;
      this.#loaded();
    }
    this.#answerAll(() => error);
    return 1;
  }

  #answerAll(errorFor: (method: string) => ErrorObject): void {
    this.#slotOf.forEach((_slot, call) => {
      this.error(call, errorFor(call.method));
    });
  }
}

function isBlank(line: Uint8Array): boolean {
  for (let i = 0; i < line.length; i++) {
    if (line[i] !== 0x20 && line[i] !== 0x09 && line[i] !== 0x0d) return false;
  }
  return true;
}

/** What a line asks for, or why it can't; and the trace id for its answer. */
interface Parsed {
  request: Request | ErrorObject;
  traceId?: string;
}

function parseLine(line: Uint8Array): Parsed {
  let from: unknown;
  try {
    from = parseJson(line);
  } catch {
    return { request: invalid("the line is not JSON") };
  }
  if (typeof from !== "object" || from === null || isArray(from)) {
    return { request: invalid("the line is not a JSON object") };
  }
  const { trace_id: traceId } = from as Record<string, unknown>;
  const request = parseRequest(from as Record<string, unknown>);
  return typeof traceId === "string" ? { request, traceId } : { request };
}

function parseRequest(from: Record<string, unknown>): Request | ErrorObject {
  const { method, data, timeout, trace_id: traceId } = from;
  if (typeof method !== "string") return invalid("method is not a string");
  if (timeout !== undefined && !(isFiniteNumber(timeout) && timeout > 0)) {
    return invalid("timeout is not a finite number over 0");
  }
  if (traceId !== undefined && typeof traceId !== "string") {
    return invalid("trace_id is not a string");
  }
  const request: Request = { method, data };
  if (timeout !== undefined) request.timeout = timeout;
  if (traceId !== undefined) request.traceId = traceId;
  return request;
}

function invalid(problem: string): ErrorObject {
  return {
    code: Code.InvalidArgument,
    message: `${problem}: expected {"method": text, "data": any, "timeout": milliseconds, "trace_id": text}`,
  };
}

function lineTooLong(): ErrorObject {
  return {
    code: Code.TooLarge,
    message: `expected a line of at most ${LineReader.MAX_LINE} bytes`,
  };
}

function unavailable(): ErrorObject {
  return { code: Code.WorkerUnavailable, message: "the worker is ending after an uncaught error" };
}

function deadlineExceeded(method: string, timeout: number): ErrorObject {
  return {
    code: Code.DeadlineExceeded,
    message: `"${method}" had no result within ${timeout} ms, the request's timeout`,
  };
}

function dataPart(value: unknown): string {
  const bytes = bytesOf(value);
  if (bytes) return `"data":"${base64(bytes)}","encoding":"base64"`;
  const json = encodeJson(value);
  return json === undefined ? "" : `"data":${json}`;
}

function errorPart(error: ErrorObject): string {
  return `"error":${readText(Buffer.from(encodeError(error)))}`;
}

/** No host is there to start another, and a signal must not end what is running. */
function sayIrreplaceable(): void {
  try {
    writeSync(
      2,
      `rootbridge worker: ${SIGNAL} changes nothing in line mode: start it again for new code\n`,
    );
  } catch {
    // Nobody reads it.
  }
}

/** Where user code's log goes in this mode. */
function print(
  call: Call,
  level: LogLevel,
  message: string,
  fields?: Record<string, unknown>,
): void {
  const { method, traceId } = call;
  const own = { level, msg: textOf(message), method, trace_id: traceId };
  const record =
    encodeRecord(own, fields ?? {}, Number.POSITIVE_INFINITY) ??
    encodeRecord({ ...own, msg: own.msg + LEFT_OUT }, {}, Number.POSITIVE_INFINITY);
  if (record) writeStderr(`${readText(record)}\n`);
}
