// Functions of Buffer, and methods of Buffers, text, dates, maps and sets, as they are before user code can replace them: a stub in the way of
// a frame would leave in it the bytes of an earlier one, which is another caller's. A method takes what it is called on as
// its first argument.

import { Buffer as NodeBuffer } from "node:buffer";
import { append } from "./list.ts";

const { bind, call } = Function.prototype;
const { min } = Math;
const NativeUint8Array = Uint8Array;
const NativeDataView = DataView;
const { alloc, allocUnsafe, allocUnsafeSlow, byteLength, compare, concat, from } = NodeBuffer;

export const Buffer: Pick<
  typeof NodeBuffer,
  "alloc" | "allocUnsafe" | "allocUnsafeSlow" | "byteLength" | "compare" | "concat" | "from"
> = { alloc, allocUnsafe, allocUnsafeSlow, byteLength, compare, concat, from };

/** A view of a part. Asks the bytes for their length, and is for what is no frame. */
export const subarray: (bytes: Uint8Array, start: number, end?: number) => Buffer = unbound(
  NodeBuffer.prototype.subarray,
);
/** Moves bytes from `start` to before `end`. */
export const copyWithin: (
  bytes: Uint8Array,
  target: number,
  start: number,
  end: number,
) => Uint8Array = unbound(Uint8Array.prototype.copyWithin);
/** Copies bytes into others, from `offset` on. */
export const setBytes: (target: Uint8Array, source: Uint8Array, offset: number) => void = unbound(
  Uint8Array.prototype.set,
);
/** A typed array's own getter, whatever the object says of itself. */
function getterOf<Value>(
  name: "buffer" | "byteOffset" | "byteLength",
): (bytes: Uint8Array) => Value {
  const prototype = Object.getPrototypeOf(Uint8Array.prototype);
  return unbound(Object.getOwnPropertyDescriptor(prototype, name)?.get);
}

const bufferOf: (bytes: Uint8Array) => ArrayBuffer = getterOf("buffer");
const offsetOf: (bytes: Uint8Array) => number = getterOf("byteOffset");
/** How many bytes there are, whatever a class of user code says. */
export const sizeOf: (bytes: Uint8Array) => number = getterOf("byteLength");

/** A view of a part, or of all, which is none of user code's class. */
export function viewOf(
  bytes: Uint8Array,
  start = 0,
  end: number = sizeOf(bytes),
): Uint8Array<ArrayBuffer> {
  const last = min(end, sizeOf(bytes));
  return new NativeUint8Array(bufferOf(bytes), offsetOf(bytes) + start, last - start);
}

/** Numbers of all bytes, big-endian, by the functions below. */
export function dataViewOf(bytes: Uint8Array): DataView {
  return new NativeDataView(bufferOf(bytes), offsetOf(bytes), sizeOf(bytes));
}

export const getFloat32: (view: DataView, offset: number) => number = unbound(
  DataView.prototype.getFloat32,
);
export const getFloat64: (view: DataView, offset: number) => number = unbound(
  DataView.prototype.getFloat64,
);
export const getBigInt64: (view: DataView, offset: number) => bigint = unbound(
  DataView.prototype.getBigInt64,
);
export const getBigUint64: (view: DataView, offset: number) => bigint = unbound(
  DataView.prototype.getBigUint64,
);
/** Takes the lowest 32 bits of an integer. */
export const setUint32: (view: DataView, offset: number, value: number) => void = unbound(
  DataView.prototype.setUint32,
);
export const setFloat64: (view: DataView, offset: number, value: number) => void = unbound(
  DataView.prototype.setFloat64,
);
export const setBigInt64: (view: DataView, offset: number, value: bigint) => void = unbound(
  DataView.prototype.setBigInt64,
);
export const setBigUint64: (view: DataView, offset: number, value: bigint) => void = unbound(
  DataView.prototype.setBigUint64,
);

/** A copy of a part, or of all. Not Buffer.from, which asks for the value of what it is given. */
export function copyBytes(bytes: Uint8Array, start = 0, end: number = sizeOf(bytes)): Buffer {
  const copy = allocUnsafe(end - start);
  setBytes(copy, viewOf(bytes, start, end), 0);
  return copy;
}

/** Where the first such byte, or text, is from `start` on; -1 for nowhere. */
export const indexOf: (bytes: Uint8Array, wanted: number | string, start?: number) => number =
  unbound(NodeBuffer.prototype.indexOf);
/** Writes text as UTF-8 and returns how many bytes that took. What write would call, as a method of everybody's. */
export const writeText: (target: Buffer, text: string, offset: number) => number = unbound(
  (NodeBuffer.prototype as { utf8Write?: unknown }).utf8Write,
);
/** Reads UTF-8. What toString would call, on Node 18 as a method of everybody's. */
export const readText: (bytes: Uint8Array, start?: number, end?: number) => string = unbound(
  NodeBuffer.prototype.utf8Slice,
);
export const base64: (bytes: Uint8Array) => string = unbound(NodeBuffer.prototype.base64Slice);
export const hasText: (text: string, part: string) => boolean = unbound(String.prototype.includes);
export const startsWith: (text: string, part: string) => boolean = unbound(
  String.prototype.startsWith,
);
export const endsWith: (text: string, part: string) => boolean = unbound(String.prototype.endsWith);
export const sliceText: (text: string, start: number, end?: number) => string = unbound(
  String.prototype.slice,
);
/** The UTF-16 unit at a place. */
export const unitAt: (text: string, index: number) => number = unbound(String.prototype.charCodeAt);
const textIndexOf: (text: string, part: string, start?: number) => number = unbound(
  String.prototype.indexOf,
);
export const lastTextIndexOf: (text: string, part: string, start?: number) => number = unbound(
  String.prototype.lastIndexOf,
);
export const lowerCase: (text: string) => string = unbound(String.prototype.toLowerCase);
/** What a pattern that is not global finds first; `null` for nothing. */
export const execPattern: (pattern: RegExp, text: string) => RegExpExecArray | null = unbound(
  RegExp.prototype.exec,
);
export const timeOf: (date: Date) => number = unbound(Date.prototype.getTime);
export const isoText: (date: Date) => string = unbound(Date.prototype.toISOString);
/** A map's own size, whatever its class says. */
export const entryCount: (map: ReadonlyMap<unknown, unknown>) => number = unbound(
  Object.getOwnPropertyDescriptor(Map.prototype, "size")?.get,
);
/** Calls `visit` with each value and its key, whatever the map's class says of iterating. */
export const eachEntry: <Key, Value>(
  map: ReadonlyMap<Key, Value>,
  visit: (value: Value, key: Key) => void,
) => void = unbound(Map.prototype.forEach);
const eachMember: <Item>(set: ReadonlySet<Item>, visit: (item: Item) => void) => void = unbound(
  Set.prototype.forEach,
);

/** A set's members, whatever its class says of iterating. */
export function membersOf<Item>(set: ReadonlySet<Item>): Item[] {
  const members: Item[] = [];
  eachMember(set, (member) => append(members, member));
  return members;
}

/** True where a pattern that is not global finds something. */
export function matches(pattern: RegExp, text: string): boolean {
  return execPattern(pattern, text) !== null;
}

/** The lines of a text. */
export function linesOf(text: string): string[] {
  const lines: string[] = [];
  let start = 0;
  for (let end = textIndexOf(text, "\n"); end >= 0; end = textIndexOf(text, "\n", start)) {
    append(lines, sliceText(text, start, end));
    start = end + 1;
  }
  append(lines, sliceText(text, start));
  return lines;
}

function unbound<Fn>(method: unknown): Fn {
  return Reflect.apply(bind, call, [method]) as Fn;
}
