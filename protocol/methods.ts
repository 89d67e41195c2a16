// Functions of Buffer, and methods of Buffers and text, as they are before user code can replace them: a stub in the way of
// a frame would leave in it the bytes of an earlier one, which is another caller's. A method takes what it is called on as
// its first argument.

import { Buffer as NodeBuffer } from "node:buffer";

const { bind, call } = Function.prototype;
const { alloc, allocUnsafe, allocUnsafeSlow, compare, concat, from } = NodeBuffer;

export const Buffer: Pick<
  typeof NodeBuffer,
  "alloc" | "allocUnsafe" | "allocUnsafeSlow" | "compare" | "concat" | "from"
> = { alloc, allocUnsafe, allocUnsafeSlow, compare, concat, from };

/** A view of a part. */
export const subarray: (bytes: Uint8Array, start: number, end?: number) => Buffer = unbound(
  NodeBuffer.prototype.subarray,
);
/** Copies bytes into others, from `offset` on. */
export const setBytes: (target: Uint8Array, source: Uint8Array, offset: number) => void = unbound(
  Uint8Array.prototype.set,
);
/** Where the first such byte, or text, is from `start` on; -1 for nowhere. */
export const indexOf: (bytes: Uint8Array, wanted: number | string, start?: number) => number =
  unbound(NodeBuffer.prototype.indexOf);
/** Writes text as UTF-8 and returns how many bytes that took. */
export const writeText: (target: Buffer, text: string, offset: number) => number = unbound(
  NodeBuffer.prototype.write,
);
/** Reads UTF-8. */
export const readText: (bytes: Buffer) => string = unbound(NodeBuffer.prototype.toString);
export const base64: (bytes: Uint8Array) => string = unbound(NodeBuffer.prototype.base64Slice);
export const hasText: (text: string, part: string) => boolean = unbound(String.prototype.includes);

function unbound<Fn>(method: unknown): Fn {
  return Reflect.apply(bind, call, [method]) as Fn;
}
