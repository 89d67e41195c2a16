import { close, createReadStream, open, read } from "node:fs";
import type net from "node:net";
import { FrameError } from "../protocol/frame.ts";
import { sizeOf, viewOf } from "../protocol/methods.ts";
import {
  apply,
  Buffer,
  fstatSync,
  nativeProcess,
  readSync,
  requireBuiltin,
  Socket,
} from "./intrinsics.ts";

/** What an Input tells. */
export interface InputHandlers {
  /** Bytes that came; valid only during the call. */
  onChunk(chunk: Uint8Array): void;
  /** The other side is gone. Called once. */
  onEnd(): void;
}

/** What a read stream uses, before these names lead elsewhere. */
const files = { open, read, close };
/** Bytes read at once. Linux pipes hold 64 KiB, or 1 MiB where the host enlarged them. */
const READ_SIZE = 262_144;

/** Reads a descriptor through the event loop, from construction on. */
export class Input {
  /** Of a pipe or socket that is read without waiting. */
  readonly #descriptor: number | undefined;
  readonly #stream: net.Socket | NodeJS.ReadableStream;
  #ended = false;

  constructor(descriptor: number, handlers: InputHandlers) {
    const end = () => {
      if (this.#ended) return;
      this.#ended = true;
      handlers.onEnd();
    };
    const isSocket = isSocketLike(descriptor);
    this.#stream = isSocket
      ? openSocket(descriptor, handlers, end)
      : openStream(descriptor, handlers, end);
    // On Windows it would wait.
    if (isSocket && nativeProcess.platform !== "win32") this.#descriptor = descriptor;
  }

  /**
   * Reads what is there already, without waiting, and returns how many bytes that were; 0 also where something is wrong, which
   * the event loop will find. Throws a FrameError where bytes may have been lost.
   */
  readNow(room: Uint8Array): number {
    if (this.#descriptor === undefined) return 0;
    try {
      return readSync(this.#descriptor, room, 0, sizeOf(room), null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== undefined) return 0;
      throw new FrameError("the input could not be read, and may lack a part", { cause: error });
    }
  }

  /** Lets the event loop end although this is open, or not. */
  setHoldsLoop(holds: boolean): void {
    if (!(this.#stream instanceof Socket)) return;
    if (holds) this.#stream.ref();
    else this.#stream.unref();
  }

  /** Stops reading, so that the other side has to wait. */
  pause(): void {
    this.#stream.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#stream.resume();
  }
}

function isSocketLike(descriptor: number): boolean {
  const stat = fstatSync(descriptor);
  return stat.isFIFO() || stat.isSocket();
}

/** A pipe or socket, read into one reused buffer without the stream machinery. */
function openSocket(descriptor: number, handlers: InputHandlers, end: () => void): net.Socket {
  const buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  const options = {
    fd: descriptor,
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback: (size: number): boolean => {
        handlers.onChunk(viewOf(buffer, 0, size));
        return true;
      },
    },
  };
  const socket = new Socket(options);
  // The end reaches push directly; the event behind it needs process.nextTick, which user code may have faked.
  const { push } = socket;
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null) end();
    return apply(push, socket, [chunk, encoding]) as boolean;
  };
  socket.on("end", end);
  socket.on("error", end);
  socket.on("close", end);
  socket.resume();
  return socket;
}

/** A file or a terminal, for a person or a test at the other end. */
function openStream(descriptor: number, handlers: InputHandlers, end: () => void) {
  const tty: typeof import("node:tty") = requireBuiltin("node:tty"); // no pipe needs it
  const stream = tty.isatty(descriptor)
    ? new tty.ReadStream(descriptor)
    : createReadStream("", { fd: descriptor, autoClose: false, fs: files });
  stream.on("data", (chunk: Buffer) => handlers.onChunk(chunk));
  stream.on("end", end);
  stream.on("error", end);
  return stream;
}
