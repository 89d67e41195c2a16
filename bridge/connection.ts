import { type ErrorObject, encodeError } from "../protocol/error.ts";
import {
  Encoding,
  FrameError,
  type FrameInPlace,
  FrameReader,
  Kind,
  MAX_ERROR,
} from "../protocol/frame.ts";
import { encodeLog, encodeReply, type LogMeta } from "../protocol/message.ts";
import { sizeOf } from "../protocol/methods.ts";
import type { Input } from "./input.ts";
import { afterMicrotasks, Buffer, epochNow, min, nextTick } from "./intrinsics.ts";
import { Output } from "./output.ts";

/** What a Connection tells. */
export interface ConnectionHandlers {
  /** A frame; its views are valid until user code runs. */
  onFrame(frame: FrameInPlace): void;
  /** The host broke the framing: nothing more is read. */
  onBroken(error: FrameError): void;
  /** The host is gone. */
  onEnd(): void;
  /** Called after each piece of input: true when calls from it are still running. */
  isBusy(): boolean;
}

/** Bytes waiting for the host above which no calls are read, and below which they are again. */
const PAUSE_ABOVE = 33_554_432;
const RESUME_BELOW = 8_388_608;
/** Bytes waiting for the host above which log lines are dropped. */
const DROP_LOGS_ABOVE = 8_388_608;
/**
 * Frames of a piece of input that are read before what they have brought is written, so that the host works on some answers
 * while the next are made: few at first, to give it something soon, then twice as many each time, as a write costs as much as a
 * call.
 */
const FIRST_STEP = 4;
const LONGEST_STEP = 16;
/** Where a step has taken longer, in milliseconds, its calls compute: in the next one no answer waits for the call that follows. */
const SLOW_STEP = 2;
const EMPTY: Uint8Array = Buffer.alloc(0);

/** Frames both ways. Whoever owns the input feeds read() and end(). */
export class Connection {
  /** When the frames of this step came, in epoch milliseconds: one look at the clock for all. */
  arrival = 0;
  readonly #input: Input;
  readonly #output: Output;
  readonly #reader: FrameReader;
  readonly #handlers: ConnectionHandlers;
  #maxError = MAX_ERROR;
  #stepSize = FIRST_STEP;
  /** Steps under way: one, or several within each other. */
  #steps = 0;
  #stepIsDue = false;
  /** The last step was slow. */
  #isSlow = false;
  #paused = false;
  #droppedLogs = 0;

  constructor(input: Input, outputDescriptor: number, handlers: ConnectionHandlers) {
    this.#input = input;
    this.#handlers = handlers;
    this.#reader = new FrameReader();
    this.#output = new Output(outputDescriptor, {
      onGone: () => handlers.onEnd(),
      onBacklog: (bytes) => this.#adjustReading(bytes),
    });
  }

  /** Largest payload accepted from the host from the next frame on, in bytes. */
  set maxPayload(bytes: number) {
    this.#reader.maxPayload = bytes;
  }

  /** Largest payload that the host accepts, in bytes. */
  set hostMaxPayload(bytes: number) {
    this.#maxError = min(MAX_ERROR, bytes);
  }

  /** Reads a piece of input. Where user code turns the event loop itself, nobody knows when the next step comes: all is read at once. */
  read(chunk: Uint8Array): void {
    this.#reader.feed(chunk);
    this.#stepSize = this.#isReading ? Number.POSITIVE_INFINITY : FIRST_STEP;
    this.#step();
  }

  /** True while a step is under way, or the next is to come. */
  get #isReading(): boolean {
    return this.#steps > 0 || this.#stepIsDue;
  }

  /** Answers that come before the next step go out together. */
  #step(): void {
    let more = false;
    this.arrival = epochNow();
    this.#steps += 1;
    this.#output.hold();
    try {
      more = this.#readFrames();
    } finally {
      this.#steps -= 1;
      this.#isSlow = epochNow() - this.arrival > SLOW_STEP;
      if (more) this.#scheduleStep();
      else this.#output.release(!this.#handlers.isBusy());
    }
  }

  /** Once the promises of this step are settled. Not as a microtask: code that waits in one for a promise would wait for ever. */
  #scheduleStep(): void {
    if (this.#stepIsDue) return;
    this.#stepIsDue = true;
    afterMicrotasks(this.#askForStep);
  }

  readonly #askForStep = (): void => nextTick(this.#nextStep);

  readonly #nextStep = (): void => {
    this.#stepIsDue = false;
    this.#output.flush();
    this.#stepSize = min(2 * this.#stepSize, LONGEST_STEP);
    this.#step();
  };

  /** Returns true if there may be more of them. */
  #readFrames(): boolean {
    for (let left = this.#stepSize; left > 0; left--) {
      const frame = this.#nextFrame();
      if (!frame) return false;
      if (this.#isSlow) this.#output.flush();
      this.#handlers.onFrame(frame);
    }
    return true;
  }

  #nextFrame(): FrameInPlace | undefined {
    try {
      return this.#reader.next() ?? (this.#readOn() ? this.#reader.next() : undefined);
    } catch (error) {
      this.#broken(error);
      return undefined;
    }
  }

  /**
   * Reads what is there of a large payload to where it is to stay, not by way of the memory for all input. All that was read before
   * is in the reader, so the order stays. Returns true if the payload is whole.
   */
  #readOn(): boolean {
    const room = this.#reader.room();
    if (!room) return false;
    const size = this.#input.readNow(room);
    this.#reader.filled(size);
    return size === sizeOf(room);
  }

  /** Says that the input has ended. Frames that are not read yet are whole for all that is known, and nobody waits for them. */
  end(): void {
    try {
      if (!this.#isReading) this.#reader.end();
    } catch (error) {
      this.#broken(error);
    }
    this.#handlers.onEnd();
  }

  #broken(error: unknown): void {
    if (!(error instanceof FrameError)) throw error;
    this.#handlers.onBroken(error);
  }

  /** Reads nothing more. */
  close(): void {
    this.#reader.close();
  }

  /** Sends a frame. `reused` says that the payload's owner may change it after this returns. */
  send(kind: Kind, id: number, meta: Uint8Array, payload: Uint8Array, reused = false): void {
    this.#output.frame(kind, Encoding.Json, id, meta, payload, reused);
  }

  /** Sends a reply with a payload that is encoded already. */
  reply(id: number, encoding: Encoding, payload: Uint8Array, reused: boolean): void {
    this.#output.frame(Kind.Reply, encoding, id, EMPTY, payload, reused);
  }

  /** Sends a reply of bytes whose type is known. */
  replyBytes(id: number, payload: Uint8Array, contentType: string): void {
    this.#output.frame(Kind.Reply, Encoding.Raw, id, encodeReply({ contentType }), payload);
  }

  /** Sends a reply of JSON text; returns false, and sends nothing, if it has more than `maxPayload` bytes. */
  replyText(id: number, text: string, maxPayload: number): boolean {
    return this.#output.textFrame(Kind.Reply, Encoding.Json, id, text, maxPayload);
  }

  /** Sends an error, for the connection with id 0. */
  sendError(id: number, error: ErrorObject): void {
    this.send(Kind.Error, id, EMPTY, encodeError(error, this.#maxError));
  }

  /** Sends a log line, or drops and counts it where too much waits for the host already. */
  sendLog(meta: LogMeta, payload: Uint8Array, encoding: Encoding): void {
    if (this.#output.backlog > DROP_LOGS_ABOVE) {
      this.#droppedLogs += 1;
      return;
    }
    this.#reportDroppedLogs();
    this.#output.frame(Kind.Log, encoding, 0, encodeLog(meta), payload, true);
  }

  #reportDroppedLogs(): void {
    if (this.#droppedLogs === 0) return;
    const text = `${this.#droppedLogs} log lines were dropped: the host did not read them in time`;
    this.#droppedLogs = 0;
    const meta = encodeLog({ level: "warn", source: "log" });
    this.#output.frame(Kind.Log, Encoding.Raw, 0, meta, Buffer.from(text));
  }

  /** Writes all that is waiting before it returns, and so from now on: for the process's end. */
  flushFinally(): void {
    this.#reportDroppedLogs();
    this.#output.flushFinally();
  }

  /** Writes what was gathered. */
  flush(): void {
    this.#output.flush();
  }

  /** Lets the event loop end although the connection is open, or not. */
  setHoldsLoop(holds: boolean): void {
    this.#input.setHoldsLoop(holds);
  }

  #adjustReading(backlog: number): void {
    if (!this.#paused && backlog > PAUSE_ABOVE) {
      this.#paused = true;
      this.#input.pause();
    } else if (this.#paused && backlog < RESUME_BELOW) {
      this.#paused = false;
      this.#input.resume();
    }
  }
}
