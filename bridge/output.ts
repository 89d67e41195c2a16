import net from "node:net";
import { type Encoding, HEADER_SIZE, writeHeader } from "../protocol/frame.ts";
import {
  afterMicrotasks,
  Buffer,
  fstatSync,
  nativeProcess,
  nextTick,
  now,
  setTimeout,
  writeSync,
} from "./intrinsics.ts";

/** Bytes gathered before they are written. */
const GATHER_SIZE = 65_536;
/** A payload from this size on is written by itself, not copied to the gathered bytes. */
const LARGE = 16_384;
/** Gathered answers wait at most this long, in milliseconds, for calls that are still working on the same input. */
const MAX_WAIT = 2;
/** When to try a full terminal again, in milliseconds. */
const RETRY_AFTER = 5;
/** How long the last bytes may take to get rid of at the process's exit, in milliseconds. */
const MAX_FINAL_WAIT = 2_000;

/** What an Output tells. */
export interface OutputHandlers {
  /** The other side is gone: nothing can be written any more. Called once. */
  onGone(): void;
  /** So many bytes wait for the other side to read. */
  onBacklog(bytes: number): void;
}

/**
 * Writes frames to a descriptor: gathered, one write for all that came of one piece of input or in one tick. Bytes go
 * out synchronously while the pipe takes them, so that little is left when the process ends; what it doesn't take waits
 * for the event loop.
 */
export class Output {
  readonly #descriptor: number;
  readonly #handlers: OutputHandlers;
  /** Tells when a full pipe takes more; absent for files and terminals, which nearly always do. */
  readonly #socket: net.Socket | undefined;
  readonly #gathered: Buffer = Buffer.allocUnsafeSlow(GATHER_SIZE);
  #length = 0;
  #gatheredSince = 0;
  /** Bytes that the pipe did not take, in order; the first is with the socket while `#blocked`. */
  #waiting: Uint8Array[] = [];
  #backlog = 0;
  #blocked = false;
  #scheduled = false;
  #held = false;
  #gone = false;
  /** Since when everything is written before the call returns; the process is ending. */
  #finalSince: number | undefined;

  constructor(descriptor: number, handlers: OutputHandlers) {
    this.#descriptor = descriptor;
    this.#handlers = handlers;
    const stat = fstatSync(descriptor);
    // On Windows writes to a pipe wait until it takes them.
    const isAsync = nativeProcess.platform !== "win32" && (stat.isFIFO() || stat.isSocket());
    if (isAsync) this.#socket = this.#openSocket();
  }

  #openSocket(): net.Socket {
    const socket = new net.Socket({ fd: this.#descriptor, readable: false, writable: true });
    socket.on("error", () => this.#lost());
    return socket;
  }

  /** Bytes not yet taken by the pipe. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Adds a frame. `payload` may be written later: `reused` says that its owner may change it, so keep no reference. */
  frame(
    kind: number,
    encoding: Encoding,
    id: number,
    meta: Uint8Array,
    payload: Uint8Array,
    reused = false,
  ): void {
    const head = HEADER_SIZE + meta.length;
    const large = payload.length >= LARGE;
    this.#makeRoom(large ? head : head + payload.length);
    const at = this.#length;
    writeHeader(this.#gathered, at, kind, encoding, id, meta.length, payload.length);
    this.#gathered.set(meta, at + HEADER_SIZE);
    this.#length = at + head;
    if (large) {
      this.flush();
      this.#write(payload, reused);
      return;
    }
    this.#gathered.set(payload, this.#length);
    this.#length += payload.length;
    this.#added(head + payload.length);
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
    this.#makeRoom(HEADER_SIZE + text.length * 3);
    const at = this.#length;
    const size = this.#gathered.write(text, at + HEADER_SIZE);
    if (size > maxPayload) return false;
    writeHeader(this.#gathered, at, kind, encoding, id, 0, size);
    this.#length = at + HEADER_SIZE + size;
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
    if (payload.length > maxPayload) return false;
    this.frame(kind, encoding, id, NO_META, payload);
    return true;
  }

  /** Adds bytes that are no frame. */
  write(bytes: Uint8Array): void {
    this.flush();
    this.#write(bytes, false);
  }

  /** Keeps what is added until release(), because more is about to come. */
  hold(): void {
    this.#held = true;
  }

  /** Writes what was gathered: at once if `complete`, else once the microtasks queued so far have added theirs. */
  release(complete: boolean): void {
    this.#held = false;
    if (this.#length === 0) return;
    if (complete) this.flush();
    else this.#schedule();
  }

  #makeRoom(size: number): void {
    if (this.#length + size > GATHER_SIZE) this.flush();
  }

  #added(size: number): void {
    if (this.#finalSince !== undefined) this.flush();
    else if (this.#length === size) this.#gatheredSince = now();
    else if (now() - this.#gatheredSince > MAX_WAIT) this.flush();
    if (!this.#held) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#length === 0) return;
    this.#scheduled = true;
    afterMicrotasks(() => nextTick(this.#flushScheduled));
  }

  readonly #flushScheduled = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** Writes what was gathered. */
  flush(): void {
    if (this.#length === 0) return;
    const bytes = this.#gathered.subarray(0, this.#length);
    this.#length = 0;
    this.#write(bytes, true);
  }

  /** Writes what the pipe takes and keeps the rest, as a copy if the bytes are `reused`. */
  #write(bytes: Uint8Array, reused: boolean): void {
    if (this.#gone) return;
    if (this.#finalSince !== undefined) {
      this.#writeFinally(bytes, this.#finalSince);
      return;
    }
    const written = this.#isBlocked() ? 0 : this.#writeNow(bytes);
    if (written === bytes.length) return;
    const rest = bytes.subarray(written);
    this.#waiting.push(reused ? Buffer.from(rest) : rest);
    this.#changeBacklog(rest.length);
    this.#pump();
  }

  #isBlocked(): boolean {
    // The socket's own callback may be lost to a faked process.nextTick; its counter is not.
    this.#takeBack();
    return this.#blocked;
  }

  /** How many bytes the pipe took. */
  #writeNow(bytes: Uint8Array): number {
    let written = 0;
    while (written < bytes.length) {
      const size = this.#tryWrite(bytes, written);
      if (size === 0) break;
      written += size;
    }
    return written;
  }

  /** Returns 0 for a full pipe; all for one that is gone. */
  #tryWrite(bytes: Uint8Array, offset: number): number {
    try {
      return writeSync(this.#descriptor, bytes, offset, bytes.length - offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      this.#lost();
      return bytes.length - offset;
    }
  }

  /** Lets the event loop say when more can be written, by handing it the first waiting bytes. */
  #pump(): void {
    const next = this.#waiting[0];
    if (this.#blocked || next === undefined) return;
    this.#blocked = true;
    if (this.#socket) this.#socket.write(next, () => this.#takeBack());
    else setTimeout(() => this.#writeOn(), RETRY_AFTER);
  }

  /** Writes on directly if the event loop has written the first waiting bytes. */
  #takeBack(): void {
    if (!this.#blocked || this.#socket?.writableLength !== 0) return;
    this.#changeBacklog(-(this.#waiting.shift()?.length ?? 0));
    this.#writeOn();
  }

  #writeOn(): void {
    this.#blocked = false;
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0] as Uint8Array;
      const written = this.#writeNow(next);
      this.#changeBacklog(-written);
      if (written < next.length) {
        this.#waiting[0] = next.subarray(written);
        break;
      }
      this.#waiting.shift();
    }
    this.#pump();
  }

  #changeBacklog(bytes: number): void {
    this.#backlog += bytes;
    this.#handlers.onBacklog(this.#backlog);
  }

  #lost(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting = [];
    this.#length = 0;
    this.#handlers.onGone();
  }

  /**
   * For the process's end: writes everything, and from now on all that is added, before it returns, unless the other
   * side does not read for two seconds.
   */
  flushFinally(): void {
    if (this.#finalSince !== undefined) return;
    const left = this.#leftWithSocket();
    this.#finalSince = now();
    for (const bytes of left) this.#writeFinally(bytes, this.#finalSince);
    this.flush();
  }

  /** Waiting bytes, of which the event loop may have written some of the first. */
  #leftWithSocket(): Uint8Array[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    const first = waiting[0];
    if (!(this.#blocked && first && this.#socket)) return waiting;
    const handle = (this.#socket as { _handle?: { writeQueueSize?: number } })._handle;
    const left = Math.min(first.length, handle?.writeQueueSize ?? this.#socket.writableLength);
    waiting[0] = first.subarray(first.length - left);
    return waiting;
  }

  #writeFinally(bytes: Uint8Array, since: number): void {
    let written = 0;
    while (written < bytes.length && !this.#gone) {
      const size = this.#tryWrite(bytes, written);
      written += size;
      if (size > 0) continue;
      if (now() - since > MAX_FINAL_WAIT) return;
      sleep(NAP, 0, 0, 1);
    }
  }
}

const NO_META: Uint8Array = Buffer.alloc(0);
const { wait: sleep } = Atomics;
/** Only ever waited on, to sleep between writes to a full pipe. */
const NAP: Int32Array = new Int32Array(new SharedArrayBuffer(4));
