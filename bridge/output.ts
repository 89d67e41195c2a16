import type net from "node:net";
import { type Encoding, HEADER_SIZE, MAX_LOG, writeHeader } from "../protocol/frame.ts";
import { copyBytes, setBytes, sizeOf, viewOf, writeText } from "../protocol/methods.ts";
import {
  afterMicrotasks,
  apply,
  Buffer,
  exitProcess,
  fstatSync,
  min,
  nativeProcess,
  nextTick,
  now,
  Socket,
  setTimeout,
  writeError,
  writeSync,
} from "./intrinsics.ts";

/** Bytes gathered before they are written. */
const GATHER_SIZE = 65_536;
/** A payload from this size on is written by itself, not copied to the gathered bytes. */
const LARGE = 16_384;
/** Likewise one that its owner may change, and that has to be copied where it waits. */
const LARGE_REUSED: number = MAX_LOG + 1;
/** Where gathered answers are older than this when the next is added, in milliseconds, all of them are written. */
const MAX_WAIT = 2;
/** When to try a full terminal again, in milliseconds. */
const RETRY_AFTER = 5;
/** How long the other side may take none of the last bytes at the process's exit, in milliseconds. */
const MAX_FINAL_WAIT = 2_000;
/** How long all of them may take, in milliseconds. */
const MAX_FINAL_TIME = 60_000;
/** How long a payload that its owner may change waits for the pipe before it is copied: milliseconds, and bytes for each. */
const PATIENCE = 1;
const PATIENCE_RATE = 1_048_576;
/** And no longer than this since the pipe took some of it last, in milliseconds: the host does not read. */
const PATIENCE_STILL = 2;
/** Between looks at a full pipe, in milliseconds. The system makes some 0.06 of it. */
const SHORT_NAP = 0.01;
const FAILED = 1;
/** Arguments of 8 bytes each: more room on the stack than what is called from here takes, and than V8 takes to compile it. */
const STACK_NEEDED = 8_192;

/** What an Output tells. */
export interface OutputHandlers {
  /** The other side is gone: nothing can be written any more. Called once. */
  onGone(): void;
  /** So many bytes wait for the other side to read. */
  onBacklog(bytes: number): void;
}

/** Bytes on their way out: those from `at` to `end`. */
interface Piece {
  bytes: Uint8Array;
  at: number;
  end: number;
  next: Piece | undefined;
}

/** What a socket knows of its descriptor. */
interface Handle {
  /** Of all that was handed to it. */
  readonly bytesWritten: number;
  /** Of that, what the pipe has not taken. */
  readonly writeQueueSize: number;
}

/**
 * Writes frames to a descriptor: gathered, one write for all that came of one piece of input or in one tick. Bytes go
 * out synchronously while the pipe takes them, so that little is left when the process ends; what it doesn't take waits
 * for the event loop.
 *
 * Law: what follows a part of a frame is the rest of it, or the process ends; else another caller would read it. So
 * nothing here goes through a method that user code can replace. And as user code may print, and answer, where it has
 * nearly filled the stack, every change of these fields is complete within one function that calls no other meanwhile.
 */
export class Output {
  readonly #descriptor: number;
  readonly #handlers: OutputHandlers;
  /** Tells when a full pipe takes more; absent for files and terminals, which nearly always do. */
  readonly #socket: net.Socket | undefined;
  readonly #handle: Handle | undefined;
  /** Frames from `#start` to `#end` are in no piece yet; pieces may have what is before. */
  #gathered: Buffer = Buffer.allocUnsafeSlow(GATHER_SIZE);
  #start = 0;
  #end = 0;
  #gatheredSince = 0;
  /** Pieces that the pipe has not taken, no array, whose methods are everybody's. */
  #first: Piece | undefined;
  #last: Piece | undefined;
  /** Bytes in pieces. */
  #backlog = 0;
  /** The first piece is with the socket, or waits for a timer. */
  #blocked = false;
  #scheduled = false;
  #held = false;
  #gone = false;
  /** Since when the other side takes nothing, where everything is written before the call returns: the process is ending. */
  #finalSince: number | undefined;
  /** Until when that may go on. */
  #finalEnd = 0;

  constructor(descriptor: number, handlers: OutputHandlers) {
    this.#descriptor = descriptor;
    this.#handlers = handlers;
    const stat = fstatSync(descriptor);
    // On Windows writes to a pipe wait until it takes them.
    const isAsync = nativeProcess.platform !== "win32" && (stat.isFIFO() || stat.isSocket());
    if (!isAsync) return;
    this.#socket = this.#openSocket();
    this.#handle = (this.#socket as unknown as { _handle: Handle })._handle;
  }

  #openSocket(): net.Socket {
    const socket = new Socket({ fd: this.#descriptor, readable: false, writable: true });
    socket.on("error", () => this.#lost());
    socket.on("close", () => this.#lost());
    return socket;
  }

  /** Bytes not yet taken by the pipe. */
  get backlog(): number {
    return this.#backlog;
  }

  /**
   * Adds a frame. `payload` may be written later, and may be of a class of user code: `reused` says that its owner may change
   * it, so keep no reference. Throws a RangeError, and adds nothing, where the stack is full or writeHeader refuses.
   */
  frame(
    kind: number,
    encoding: Encoding,
    id: number,
    meta: Uint8Array,
    payload: Uint8Array,
    reused = false,
  ): void {
    const metaSize = sizeOf(meta);
    const head = HEADER_SIZE + metaSize;
    const size = sizeOf(payload);
    const view = size >= (reused ? LARGE_REUSED : LARGE) ? viewOf(payload) : undefined;
    const at = this.#makeRoom(view ? head : head + size);
    writeHeader(this.#gathered, at, kind, encoding, id, metaSize, size);
    if (metaSize > 0) setBytes(this.#gathered, meta, at + HEADER_SIZE);
    if (view) {
      this.#addLarge(at + head, view, reused);
      return;
    }
    setBytes(this.#gathered, payload, at + head);
    this.#end = at + head + size;
    this.#added(head + size);
  }

  /** Adds a frame without meta whose payload is text, encoded in place. Returns false for one over `maxPayload` bytes. */
  textFrame(
    kind: number,
    encoding: Encoding,
    id: number,
    text: string,
    maxPayload: number,
  ): boolean {
    if (text.length >= LARGE / 3) return this.#largeText(kind, encoding, id, text, maxPayload);
    const at = this.#makeRoom(HEADER_SIZE + text.length * 3);
    const size = writeText(this.#gathered, text, at + HEADER_SIZE);
    if (size > maxPayload) return false;
    writeHeader(this.#gathered, at, kind, encoding, id, 0, size);
    this.#end = at + HEADER_SIZE + size;
    this.#added(HEADER_SIZE + size);
    return true;
  }

  #largeText(
    kind: number,
    encoding: Encoding,
    id: number,
    text: string,
    maxPayload: number,
  ): boolean {
    const payload = Buffer.from(text);
    if (sizeOf(payload) > maxPayload) return false;
    this.frame(kind, encoding, id, NO_META, payload);
    return true;
  }

  /** Adds bytes that are no frame. */
  write(bytes: Uint8Array): void {
    this.#addLarge(this.#makeRoom(0), bytes, false);
  }

  /** Keeps what is added until release(), because more is about to come. */
  hold(): void {
    this.#held = true;
  }

  /** Writes what was gathered: at once if `complete`, else once the microtasks queued so far have added theirs. */
  release(complete: boolean): void {
    this.#held = false;
    if (complete) this.flush();
    else this.#schedule();
  }

  /** Returns where in the gathered bytes there is room. What can't be written here will be in time. */
  #makeRoom(size: number): number {
    if (!this.#held) this.#schedule();
    if (this.#end + size > GATHER_SIZE) this.#flush();
    if (this.#end + size > GATHER_SIZE) this.#gatherAnew(Buffer.allocUnsafeSlow(GATHER_SIZE));
    return this.#end;
  }

  #gatherAnew(room: Buffer): void {
    this.#gathered = room;
    this.#start = 0;
    this.#end = 0;
  }

  /** A frame is gathered: tries to write it where it has waited. */
  #added(size: number): void {
    try {
      if (this.#finalSince !== undefined) this.#flush();
      else if (this.#end - this.#start === size) this.#gatheredSince = now();
      else if (now() - this.#gatheredSince > MAX_WAIT) this.#flush();
    } catch {
      // The stack is full: a flush is scheduled, or there will be a release.
    }
  }

  /** Adds what is gathered up to `end`, and a payload to be written by itself. */
  #addLarge(end: number, payload: Uint8Array, reused: boolean): void {
    if (reused) needStack(); // else a copy might fail when the frame is added already
    const waits = this.#first !== undefined;
    const bytes = reused && waits ? copyBytes(payload) : payload;
    const isBorrowed = reused && !waits;
    const piece: Piece = { bytes, at: 0, end: sizeOf(bytes), next: undefined };
    this.#append(end, piece);
    try {
      this.#drain();
      if (isBorrowed) this.#waitFor(piece);
    } catch {
      // As above.
    }
    if (isBorrowed) this.#own(piece);
  }

  /** Waits a moment for the pipe to take a piece. As long as the other side reads, that takes less time than a copy. */
  #waitFor(piece: Piece): void {
    const end = now() + PATIENCE + piece.end / PATIENCE_RATE;
    let until = now() + PATIENCE_STILL;
    while (piece.at < piece.end && !this.#gone && now() < min(until, end)) {
      const { at } = piece;
      sleep(NAP, 0, 0, SHORT_NAP);
      this.#drain();
      if (piece.at > at) until = now() + PATIENCE_STILL;
    }
  }

  /** Makes a copy of what its owner may change once it runs again, whatever has gone wrong before. */
  #own(piece: Piece): void {
    if (this.#gone || piece.at === piece.end) return;
    try {
      piece.bytes = copyBytes(piece.bytes, piece.at, piece.end);
      piece.end -= piece.at;
      piece.at = 0;
    } catch (error) {
      this.#broke(error); // there is no memory, and the frame is added
    }
  }

  #append(end: number, large: Piece | undefined): void {
    const gathered: Piece = { bytes: this.#gathered, at: this.#start, end, next: large };
    if (this.#last) this.#last.next = gathered;
    else this.#first = gathered;
    this.#last = large ?? gathered;
    this.#backlog += end - this.#start + (large ? large.end : 0);
    this.#start = end;
    this.#end = end;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    afterMicrotasks(this.#nextTick);
    this.#scheduled = true;
  }

  readonly #nextTick = (): void => {
    if (this.#first || this.#end > this.#start) nextTick(this.#flushScheduled);
    else this.#scheduled = false;
  };

  readonly #flushScheduled = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** Writes what was gathered. Not to be called where user code may have filled the stack. */
  flush(): void {
    if (this.#gone) return;
    try {
      this.#flush();
      this.#pump();
    } catch (error) {
      this.#broke(error);
    }
  }

  #flush(): void {
    if (this.#end > this.#start) this.#append(this.#end, undefined);
    this.#drain();
  }

  /** Writes the pieces while the pipe takes them. Throws only a full stack's RangeError. */
  #drain(): void {
    if (this.#gone) return;
    try {
      // The socket's own callback may be lost to a faked process.nextTick; its counter is not.
      this.#takeBack();
      while (this.#first && !this.#blocked && this.#writeFirst(this.#first));
    } catch (error) {
      if (isFullStack(error)) throw error;
      this.#broke(error);
    }
    // Nobody reads the gathered bytes any more.
    if (this.#first || this.#end > this.#start) return;
    this.#start = 0;
    this.#end = 0;
  }

  /** Returns false for a full pipe. */
  #writeFirst(first: Piece): boolean {
    while (first.at < first.end) {
      if (this.#tryWrite(first)) continue;
      if (this.#gone || this.#finalSince === undefined) return false;
      if (now() > min(this.#finalSince + MAX_FINAL_WAIT, this.#finalEnd)) {
        this.#abandon();
        return false;
      }
      sleep(NAP, 0, 0, 1);
    }
    this.#dropFirst(first);
    return true;
  }

  #dropFirst(first: Piece): void {
    this.#first = first.next;
    if (!first.next) this.#last = undefined;
    this.#backlog -= first.end - first.at;
    this.#blocked = false;
  }

  /** Returns false for a pipe that is full or gone. */
  #tryWrite(piece: Piece): boolean {
    try {
      const size = writeSync(this.#descriptor, piece.bytes, piece.at, piece.end - piece.at);
      piece.at += size;
      this.#backlog -= size;
      if (this.#finalSince !== undefined) this.#finalSince = now();
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") return false;
      if (code === undefined) throw error; // not the system's: nothing is known, or the stack is full
      this.#lost();
      return false;
    }
  }

  /** Lets the event loop say when more can be written, by handing it the first piece. */
  #pump(): void {
    this.#handlers.onBacklog(this.#backlog);
    const first = this.#first;
    if (!first || this.#blocked || this.#finalSince !== undefined) return;
    this.#blocked = true;
    if (this.#socket && this.#handle) this.#handOver(this.#socket, this.#handle, first);
    else setTimeout(this.#retry, RETRY_AFTER);
  }

  #handOver(socket: net.Socket, handle: Handle, { bytes, at, end }: Piece): void {
    const before = handle.bytesWritten;
    socket.write(viewOf(bytes, at, end), () => this.flush());
    const taken = handle.bytesWritten - before;
    if (taken !== end - at && !socket.errored) {
      throw new Error(`the socket took ${taken} of ${end - at} bytes`);
    }
    if (socket.writableLength === 0) this.#schedule();
  }

  readonly #retry = (): void => {
    this.#blocked = false;
    this.flush();
  };

  /** Notices that the event loop has written the first piece. */
  #takeBack(): void {
    if (!(this.#socket && this.#first && this.#blocked)) return;
    const { errored, writableLength } = this.#socket;
    if (errored) this.#lost();
    else if (writableLength === 0) this.#dropFirst(this.#first);
  }

  /** The process ends, before anything that follows could be taken for the rest of a frame. */
  #broke(error: unknown): never {
    this.#abandon();
    writeError(error, "rootbridge worker: ended, as it could not write a frame to its end: ");
    return exitProcess(FAILED);
  }

  #lost(): void {
    if (this.#gone) return;
    this.#abandon();
    this.#handlers.onGone();
  }

  #abandon(): void {
    this.#gone = true;
    this.#first = undefined;
    this.#last = undefined;
    this.#backlog = 0;
  }

  /**
   * For the process's end: writes everything, and from now on all that is added, before it returns, unless the other
   * side takes nothing for two seconds, or not all within a minute.
   */
  flushFinally(): void {
    if (this.#finalSince !== undefined) return;
    if (this.#first && this.#blocked && this.#handle) {
      // The event loop may have written a part.
      this.#backlog += this.#first.at - this.#first.end + this.#handle.writeQueueSize;
      this.#first.at = this.#first.end - this.#handle.writeQueueSize;
    }
    this.#blocked = false;
    this.#finalSince = now();
    this.#finalEnd = this.#finalSince + MAX_FINAL_TIME;
    this.flush();
  }
}

/** Throws a RangeError unless the stack has room. By arguments, as calls that V8 has optimized take next to none. */
function needStack(): void {
  apply(noCall, undefined, ROOM);
}

/** True where user code has filled the stack: what was called last has done nothing. */
function isFullStack(error: unknown): boolean {
  return error instanceof RangeError && (error as NodeJS.ErrnoException).code === undefined;
}

const NO_META: Uint8Array = Buffer.alloc(0);
const noCall = (): void => {};
const ROOM: readonly undefined[] = new Array<undefined>(STACK_NEEDED).fill(undefined);
const { wait: sleep } = Atomics;
/** Only ever waited on, to sleep between writes to a full pipe. */
const NAP: Int32Array = new Int32Array(new SharedArrayBuffer(4));
