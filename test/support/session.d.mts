import type { Buffer } from "node:buffer";

export interface SessionFrame {
  /** A name, or the number of an unknown kind. */
  readonly kind: string | number;
  readonly encoding: string;
  readonly id: number;
  readonly meta: Buffer;
  readonly payload: Buffer;
}

export interface Context {
  /** Ids of calls by the names that the script gave them. */
  readonly names: Map<string, number>;
  idOf(name: string): number;
  /** Reads a payload of msgpack. */
  decode?(payload: Uint8Array): unknown;
}

export function allowOnly(where: string, object: object, keys: readonly string[]): void;
export function bytes(text: string): Buffer;
export function encodeFrames(frames: object | readonly object[], idOf?: Context["idOf"]): Buffer;
export function differs(
  pattern: object,
  frame: SessionFrame,
  context?: Partial<Context>,
): string | undefined;
export function valueDiffers(
  expected: unknown,
  value: unknown,
  path: string,
  partly: boolean,
): string | undefined;
export function describe(frame: SessionFrame): string;
export function expectFrames(
  inbox: Inbox,
  patterns: readonly object[],
  context: Context,
): Promise<void>;

export class Splitter {
  constructor(onFrame: (frame: SessionFrame) => void);
  push(chunk: Uint8Array): void;
  end(): void;
}

export class Inbox {
  add(frame: SessionFrame): void;
  end(error?: Error): void;
  next(): Promise<SessionFrame | undefined>;
  takeLog(matches: (frame: SessionFrame) => boolean): Promise<void>;
}
