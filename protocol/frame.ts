import { Buffer, copyBytes, indexOf, setBytes, sizeOf, viewOf } from "./methods.ts";

/** The highest protocol version spoken here. */
export const VERSION = 1;
/** Bytes of a frame's header. */
export const HEADER_SIZE = 16;
/** Most bytes of one frame's meta. */
export const MAX_META = 16_384;
/** Most bytes of a hello's payload, and of any payload before the other side's hello is known. */
export const MAX_HELLO = 1_048_576;
/** Least and most that a hello may offer as `max_payload`, in bytes. */
export const MIN_MAX_PAYLOAD = 1_024;
export const MAX_MAX_PAYLOAD = 1_073_741_824;
/** `max_payload` unless told otherwise, in bytes. */
export const DEFAULT_MAX_PAYLOAD = 33_554_432;
/** Most bytes of a ping's payload. */
export const MAX_PING = 64;
/** Most pongs that a host keeps for a worker that does not read them. */
export const MAX_UNWRITTEN_PONGS = 1_024;
/** Most bytes of an error's payload. */
export const MAX_ERROR = 65_536;
/** Most bytes of a log line's payload. */
export const MAX_LOG = 32_768;
/** Most bytes of a stats payload. */
export const MAX_STATS = 4_096;
/** Most bytes that a host skips before the worker's hello. */
const MAX_SKIPPED = 1_048_576;
/** The highest id of a call from host to worker. */
export const MAX_CALL_ID = 2_147_483_647;

/** What a frame is for. Others are reserved or unknown, and skipped. */
export const Kind = {
  Hello: 1,
  Ready: 2,
  Call: 3,
  Reply: 4,
  Error: 5,
  Cancel: 6,
  Chunk: 7,
  Credit: 8,
  Log: 9,
  Ping: 10,
  Pong: 11,
  Goaway: 12,
  Stats: 13,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** How a payload is encoded: bits 0 and 1 of a frame's flags. */
export const Encoding = { Json: 0, Msgpack: 1, Raw: 2, Reserved: 3 } as const;
export type Encoding = (typeof Encoding)[keyof typeof Encoding];

/** One frame. */
export interface Frame {
  /** A Kind, or a number that this version does not know. */
  kind: number;
  encoding: Encoding;
  /** The call the frame belongs to, or 0 for the connection. */
  id: number;
  meta: Uint8Array;
  payload: Uint8Array;
}

/** Broken framing. Nothing that follows it on the connection can be trusted. */
export class FrameError extends Error {
  override readonly name: string = "FrameError";
  readonly code: "protocol_error" = "protocol_error";
  /** The input ended inside a frame. */
  readonly truncated: boolean;

  constructor(message: string, details: { truncated?: boolean; cause?: unknown } = {}) {
    super(message, details);
    this.truncated = details.truncated ?? false;
  }
}

/** What a FrameReader accepts, and what it calls. */
export interface FrameReaderOptions {
  /** Largest payload accepted, in bytes; default 1 MiB, which holds until hello settles it. */
  maxPayload?: number;
  /**
   * For hosts: skip up to 1 MiB of anything before the other side's hello, handing over what was skipped (valid only
   * during the call). Without it the first byte must be a frame's.
   */
  onSkipped?: (bytes: Uint8Array) => void;
}

const EMPTY: Uint8Array = Buffer.alloc(0);
const MAGIC = [0xff, 0x52, 0x42] as const;
/** A payload from this size on gets memory of its own where it comes in pieces, in bytes. */
const LARGE = 16_384;
/** Bytes that show the start of a hello: magic, version and kind. */
const HELLO_START = 5;
const isWhole = Number.isInteger;
const { max, min } = Math;
const { fromCharCode } = String;
const DIGITS = "0123456789abcdef";

/** A frame where it was read, valid until the reader is used again. Views are made when they are asked for. */
export class FrameInPlace implements Frame {
  kind = 0;
  encoding: Encoding = Encoding.Json;
  id = 0;
  /** Holds the meta from `metaStart` to `metaEnd`. */
  metaBytes: Uint8Array = EMPTY;
  metaStart = 0;
  metaEnd = 0;
  /** Holds the payload from `payloadStart` to `payloadEnd`. */
  payloadBytes: Uint8Array = EMPTY;
  payloadStart = 0;
  payloadEnd = 0;
  /** True for a payload in memory of its own, which is all of `payloadBytes`, and which the reader forgets. */
  hasOwnMemory = false;

  get meta(): Uint8Array {
    return this.metaStart === this.metaEnd
      ? EMPTY
      : viewOf(this.metaBytes, this.metaStart, this.metaEnd);
  }

  get payload(): Uint8Array {
    return this.payloadStart === this.payloadEnd
      ? EMPTY
      : viewOf(this.payloadBytes, this.payloadStart, this.payloadEnd);
  }
}

/** Returns one frame as bytes. Throws a RangeError for a meta or a number that has no room in the header. */
export function encodeFrame(frame: Partial<Frame> & { kind: number }): Uint8Array {
  const { kind, encoding = Encoding.Json, id = 0, meta = EMPTY, payload = EMPTY } = frame;
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + meta.length + payload.length);
  writeHeader(bytes, 0, kind, encoding, id, meta.length, payload.length);
  setBytes(bytes, meta, HEADER_SIZE);
  setBytes(bytes, payload, HEADER_SIZE + meta.length);
  return bytes;
}

/** Writes a header at `offset`. Throws a RangeError for a meta or a number that has no room in it. */
export function writeHeader(
  target: Uint8Array,
  offset: number,
  kind: number,
  encoding: number,
  id: number,
  metaLength: number,
  payloadLength: number,
): void {
  if (metaLength > MAX_META) {
    throw new RangeError(`meta has ${metaLength} bytes, at most ${MAX_META} fit in a frame`);
  }
  if (!isWhole(id) || id < 0 || id > 0xffffffff || payloadLength > 0xffffffff) {
    throw new RangeError(`id ${id} or payload length ${payloadLength} is not a 32-bit number`);
  }
  target[offset] = MAGIC[0];
  target[offset + 1] = MAGIC[1];
  target[offset + 2] = MAGIC[2];
  target[offset + 3] = VERSION;
  target[offset + 4] = kind;
  target[offset + 5] = encoding;
  target[offset + 6] = metaLength >>> 8;
  target[offset + 7] = metaLength;
  writeUint32(target, offset + 8, id);
  writeUint32(target, offset + 12, payloadLength);
}

function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

/**
 * Splits a byte stream into frames. A large payload that has not come as a whole is gathered in memory of its own, allocated
 * once, after its lengths passed the limits.
 */
export class FrameReader {
  /** Largest payload accepted from the next frame on, in bytes. */
  maxPayload: number;
  #onSkipped: ((bytes: Uint8Array) => void) | undefined;
  #skipped = 0;
  /** What has come and is not read yet, from `#start` to `#end`. */
  #room: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /** The header of `#frame` is read, the rest is not. */
  #isBegun = false;
  /** The payload of `#frame`, of which `#bodyLength` bytes have come. */
  #body: Uint8Array | undefined;
  #bodyLength = 0;
  #closed = false;
  readonly #frame = new FrameInPlace();
  #metaSize = 0;
  #payloadSize = 0;

  constructor(options: FrameReaderOptions = {}) {
    this.maxPayload = options.maxPayload ?? MAX_HELLO;
    this.#onSkipped = options.onSkipped;
  }

  /** Takes what has come, and keeps no reference to it. */
  feed(chunk: Uint8Array): void {
    if (this.#closed) return;
    const offset = this.#body && this.#start === this.#end ? this.#fill(this.#body, chunk) : 0;
    if (offset < sizeOf(chunk)) this.#keep(offset === 0 ? chunk : viewOf(chunk, offset));
  }

  /** What is missing of a large payload, for whoever can read what comes next into it at once, in place of feeding it. */
  room(): Uint8Array | undefined {
    const missing = this.#payloadSize - this.#bodyLength;
    if (!this.#body || this.#closed || this.#start < this.#end || missing < LARGE) return undefined;
    return viewOf(this.#body, this.#bodyLength);
  }

  /** Says that so many bytes have been read into the room. */
  filled(size: number): void {
    this.#bodyLength += size;
  }

  /** Returns the next frame, or undefined when more must come first. Throws a FrameError on broken framing, and reads nothing more. */
  next(): FrameInPlace | undefined {
    if (this.#frame.hasOwnMemory) this.#forgetMemory();
    if (this.#closed || (this.#onSkipped && !this.#skip())) return undefined;
    if (!(this.#isBegun || this.#readHeader())) return undefined;
    if (this.#body) return this.#takeBody(this.#body);
    if (this.#end - this.#start < this.#metaSize + this.#payloadSize) {
      this.#wait();
      return undefined;
    }
    return this.#take();
  }

  /** Says that the input has ended. Throws a FrameError if that was inside a frame. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    const unread = this.#end - this.#start;
    if (this.#onSkipped) {
      this.#onSkipped(viewOf(this.#room, this.#start, this.#end));
      return;
    }
    if (unread === 0 && !this.#isBegun) return;
    const came = this.#isBegun
      ? `${this.#came(unread)} of ${this.#metaSize + this.#payloadSize} bytes of its meta and payload`
      : `${unread} of ${HEADER_SIZE} bytes of its header`;
    throw new FrameError(`input ended inside a frame: ${came} came`, { truncated: true });
  }

  #came(unread: number): number {
    return this.#body ? this.#metaSize + this.#bodyLength : unread;
  }

  /** Stops: nothing more is read. */
  close(): void {
    this.#closed = true;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    const size = sizeOf(bytes);
    if (this.#end + size > sizeOf(this.#room)) this.#makeRoom(size);
    setBytes(this.#room, bytes, this.#end);
    this.#end += size;
  }

  #makeRoom(size: number): void {
    const unread = viewOf(this.#room, this.#start, this.#end);
    const needed = this.#end - this.#start + size;
    const has = sizeOf(this.#room);
    if (needed > has) this.#room = Buffer.alloc(max(needed, 2 * has));
    setBytes(this.#room, unread, 0);
    this.#start = 0;
    this.#end = needed - size;
  }

  /** Returns false for a header that is not there to its end. What is there is checked, so that text in place of frames is told at once. */
  #readHeader(): boolean {
    const length = this.#end - this.#start;
    this.#checkStart(this.#room, this.#start, length);
    if (length < HEADER_SIZE) return false;
    this.#parseHeader(this.#room, this.#start);
    this.#start += HEADER_SIZE;
    this.#isBegun = true;
    return true;
  }

  /** A frame that is whole. */
  #take(): FrameInPlace {
    const frame = this.#frame;
    this.#isBegun = false;
    frame.metaBytes = this.#room;
    frame.metaStart = this.#start;
    frame.metaEnd = frame.metaStart + this.#metaSize;
    frame.payloadBytes = this.#room;
    frame.payloadStart = frame.metaEnd;
    frame.payloadEnd = frame.payloadStart + this.#payloadSize;
    this.#start = frame.payloadEnd;
    return frame;
  }

  /** A frame that is not whole. Its payload gets memory of its own if that is worth it, once the meta is there. */
  #wait(): void {
    const payloadStart = this.#start + this.#metaSize;
    if (this.#payloadSize < LARGE || this.#end < payloadStart) return;
    const meta = copyBytes(this.#room, this.#start, payloadStart);
    const body = Buffer.allocUnsafeSlow(this.#payloadSize);
    setBytes(body, viewOf(this.#room, payloadStart, this.#end), 0);
    // Nothing can fail any more, as it may where user code has filled the stack.
    const frame = this.#frame;
    frame.metaBytes = meta;
    frame.metaStart = 0;
    frame.metaEnd = this.#metaSize;
    this.#body = body;
    this.#bodyLength = this.#end - payloadStart;
    this.#start = this.#end;
  }

  /** Adds to the body what it needs. Returns how much that was. */
  #fill(body: Uint8Array, bytes: Uint8Array): number {
    const size = min(sizeOf(bytes), this.#payloadSize - this.#bodyLength);
    setBytes(body, viewOf(bytes, 0, size), this.#bodyLength);
    this.#bodyLength += size;
    return size;
  }

  #takeBody(body: Uint8Array): FrameInPlace | undefined {
    if (this.#bodyLength < this.#payloadSize) return undefined;
    const frame = this.#frame;
    this.#isBegun = false;
    this.#body = undefined;
    frame.payloadBytes = body;
    frame.payloadStart = 0;
    frame.payloadEnd = this.#payloadSize;
    frame.hasOwnMemory = true;
    return frame;
  }

  /** Lets go of a large payload, which would be kept until another frame comes. */
  #forgetMemory(): void {
    const frame = this.#frame;
    frame.hasOwnMemory = false;
    frame.payloadBytes = EMPTY;
    frame.payloadEnd = 0;
  }

  #parseHeader(bytes: Uint8Array, offset: number): void {
    const metaSize = byteAt(bytes, offset + 6) * 256 + byteAt(bytes, offset + 7);
    const payloadSize = readUint32(bytes, offset + 12);
    if (metaSize > MAX_META) {
      this.#fail(`expected at most ${MAX_META} bytes of meta, the header says ${metaSize}`);
    }
    if (payloadSize > this.maxPayload) {
      this.#fail(
        `expected at most ${this.maxPayload} bytes of payload, the header says ${payloadSize}`,
      );
    }
    const frame = this.#frame;
    frame.kind = byteAt(bytes, offset + 4);
    frame.encoding = (byteAt(bytes, offset + 5) & 3) as Encoding;
    frame.id = readUint32(bytes, offset + 8);
    this.#metaSize = metaSize;
    this.#payloadSize = payloadSize;
  }

  /** Checks as much of magic and version as is there, so that text in place of frames is told at once. */
  #checkStart(bytes: Uint8Array, offset: number, length: number): void {
    for (let i = 0; i < 3 && i < length; i++) {
      if (bytes[offset + i] !== MAGIC[i]) {
        const seen = copyBytes(bytes, offset, offset + min(length, 8));
        this.#fail(
          `expected a frame's magic ff 52 42, got ${hex(seen)} ("${printable(seen)}"): something else wrote to the protocol's pipe`,
        );
      }
    }
    if (length > 3 && bytes[offset + 3] !== VERSION) {
      this.#fail(
        `expected protocol version ${VERSION}, got a frame of version ${bytes[offset + 3]}: host and worker must be of the same release`,
      );
    }
  }

  /** Skips what is before the hello. Returns false where that has not come, and keeps what may be its start. */
  #skip(): boolean {
    const unread = viewOf(this.#room, this.#start, this.#end);
    const { at, found } = findHello(unread);
    this.#countSkipped(viewOf(unread, 0, at));
    this.#start += at;
    if (found) this.#onSkipped = undefined;
    return found;
  }

  #countSkipped(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#skipped += bytes.length;
    this.#onSkipped?.(bytes);
    if (this.#skipped > MAX_SKIPPED) {
      this.#fail(`expected a hello, got ${this.#skipped} bytes of something else`);
    }
  }

  #fail(message: string): never {
    this.#closed = true;
    throw new FrameError(message);
  }
}

/** Where a hello starts (of any version: the reader tells a foreign one), or may start once more bytes have come. */
function findHello(bytes: Uint8Array): { at: number; found: boolean } {
  for (let at = indexOf(bytes, MAGIC[0]); at >= 0; at = indexOf(bytes, MAGIC[0], at + 1)) {
    const there = min(HELLO_START, bytes.length - at);
    if (startsHello(bytes, at, there)) return { at, found: there === HELLO_START };
  }
  return { at: bytes.length, found: false };
}

function startsHello(bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    const expected = i === HELLO_START - 1 ? Kind.Hello : MAGIC[i];
    if (expected !== undefined && bytes[at + i] !== expected) return false;
  }
  return true;
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    byteAt(bytes, offset) * 0x1000000 +
    (byteAt(bytes, offset + 1) << 16) +
    (byteAt(bytes, offset + 2) << 8) +
    byteAt(bytes, offset + 3)
  );
}

function byteAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = byteAt(bytes, i);
    text += `${i === 0 ? "" : " "}${DIGITS[byte >>> 4]}${DIGITS[byte & 15]}`;
  }
  return text;
}

function printable(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = byteAt(bytes, i);
    text += byte >= 0x20 && byte < 0x7f ? fromCharCode(byte) : ".";
  }
  return text;
}
