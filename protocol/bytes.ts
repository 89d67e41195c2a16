import { types } from "node:util";
import { Buffer } from "./methods.ts";

const { isView } = ArrayBuffer;
const { isAnyArrayBuffer } = types;

/** The bytes of a Buffer, typed array, DataView or ArrayBuffer, without a copy; `undefined` for anything else. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (isAnyArrayBuffer(value)) return Buffer.from(value as ArrayBuffer);
  return undefined;
}
