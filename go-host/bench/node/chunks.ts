import { Socket } from "node:net";

const SIZE = 262_144;

/** Reads stdin into one buffer, which is used again when `onChunk` has returned. */
export function readChunks(onChunk: (chunk: Buffer) => void): void {
  const buffer = Buffer.allocUnsafeSlow(SIZE);
  const onread = {
    buffer,
    callback: (size: number): boolean => {
      onChunk(buffer.subarray(0, size));
      return true;
    },
  };
  const socket = new Socket({ fd: 0, readable: true, writable: false, onread } as object);
  socket.on("end", () => process.exit(0));
  socket.resume();
}
