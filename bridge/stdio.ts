import { constants } from "node:fs";
import { someItem } from "../protocol/list.ts";
import { closeSync, fstatSync, nativeProcess, openSync } from "./intrinsics.ts";

/** Where the protocol is spoken. */
export interface Stdio {
  /** Descriptor to read from. */
  input: number;
  /** Descriptor to write to. */
  output: number;
  /** True when descriptors 0 and 1 are no longer the protocol's, so that nothing user code does to them matters. */
  guarded: boolean;
}

const { O_RDONLY, O_WRONLY, O_APPEND, O_NONBLOCK } = constants;

/**
 * Takes the protocol's pipes away from descriptors 0 and 1, before any user code: 0 becomes /dev/null and 1 becomes
 * stderr. Where that can't be done the pipes stay where they are and `guarded` is false. Throws an Error for a
 * ROOTBRIDGE_FDS that names no open descriptors, and for a preload that reads what the host says.
 */
export function takeStdio(): Stdio {
  const given = nativeProcess.env["ROOTBRIDGE_FDS"];
  delete nativeProcess.env["ROOTBRIDGE_FDS"];
  if (given !== undefined) return stdioFrom(given);
  return guard() ?? { input: 0, output: 1, guarded: false };
}

/** The parent has moved the pipes already. */
function stdioFrom(given: string): Stdio {
  const match = /^(\d+),(\d+)$/.exec(given);
  const input = Number(match?.[1]);
  const output = Number(match?.[2]);
  if (!(isOpen(input) && isOpen(output))) {
    throw new Error(`ROOTBRIDGE_FDS: expected two open descriptors like 3,4, got ${given}`);
  }
  return { input, output, guarded: input > 2 && output > 2 };
}

function isOpen(descriptor: number): boolean {
  try {
    return fstatSync(descriptor) !== undefined;
  } catch {
    return false;
  }
}

function guard(): Stdio | undefined {
  if (nativeProcess.platform === "win32" || !(isPipe(0) && isPipe(1))) return undefined;
  if (isRead()) {
    throw new Error(
      "a preload (--require, --import, NODE_OPTIONS) reads process.stdin: expected it to leave stdin alone, which the host speaks to the worker on",
    );
  }
  const copies = openCopies();
  if (!copies) return undefined;
  const { input, output, sink } = copies;
  // Each open gets the lowest free number, which is the one just closed, unless another thread came between.
  const guarded = replace(0, "/dev/null", O_RDONLY) && replace(1, sink, O_WRONLY | O_APPEND);
  return { input, output, guarded };
}

/** What Node keeps of an open handle. */
interface Handle {
  readonly fd?: unknown;
  /** Null for a stream that nobody has begun to read. */
  readonly readableFlowing?: unknown;
}

/** True where stdin is being read already: to close it then would abort Node, without a word. */
function isRead(): boolean {
  const { _getActiveHandles: handles } = nativeProcess as unknown as {
    _getActiveHandles?: () => Handle[];
  };
  return someItem(handles?.() ?? [], ({ fd, readableFlowing = null }) => {
    return fd === 0 && readableFlowing !== null;
  });
}

function isPipe(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFIFO();
  } catch {
    return false;
  }
}

/** Opens everything that may be refused while nothing is closed yet. */
function openCopies(): { input: number; output: number; sink: string } | undefined {
  const directory = nativeProcess.platform === "linux" ? "/proc/self/fd" : "/dev/fd";
  const opened: number[] = [];
  const open = (path: string, flags: number): number => {
    const descriptor = openSync(path, flags);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    // A named pipe whose other end is gone would block an open for ever without O_NONBLOCK.
    const input = open(`${directory}/0`, O_RDONLY | O_NONBLOCK);
    const output = open(`${directory}/1`, O_WRONLY | O_NONBLOCK);
    if (!(sameFile(input, 0) && sameFile(output, 1))) throw new Error("opened other files");
    closeSync(open("/dev/null", O_RDONLY));
    return { input, output, sink: usableSink(`${directory}/2`) };
  } catch {
    for (const descriptor of opened) closeQuietly(descriptor);
    return undefined;
  }
}

/** What descriptor 1 will write to: stderr, or nothing where stderr can't be opened again, as a socket can't. */
function usableSink(stderr: string): string {
  try {
    closeSync(openSync(stderr, O_WRONLY | O_APPEND));
    return stderr;
  } catch {
    return "/dev/null";
  }
}

function replace(descriptor: number, path: string, flags: number): boolean {
  try {
    closeSync(descriptor);
    return openSync(path, flags) === descriptor;
  } catch {
    return false;
  }
}

function sameFile(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {
    // It was never ours to keep.
  }
}
