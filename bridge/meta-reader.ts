import type { FrameInPlace } from "../protocol/frame.ts";
import { type CallMeta, decodeCall } from "../protocol/message.ts";
import { copyBytes } from "../protocol/methods.ts";
import { Buffer } from "./intrinsics.ts";

/** Longer metas, in bytes, are not worth the comparison. */
const MAX_KEPT = 256;

/** Reads the metas of calls. Calls of one method without a trace id have the same bytes again and again, read once. */
export class MetaReader {
  #bytes: Uint8Array = Buffer.alloc(0);
  #meta: CallMeta | undefined;

  /** Decodes a call's meta as decodeCall does. The result is shared: change nothing in it. */
  read(frame: FrameInPlace): CallMeta {
    if (this.#meta && isSame(frame, this.#bytes)) return this.#meta;
    const bytes = frame.meta;
    const meta = decodeCall(bytes);
    if (bytes.length <= MAX_KEPT && meta.lambda === undefined) {
      // a handler may change what it carries
      this.#bytes = copyBytes(bytes);
      this.#meta = meta;
    }
    return meta;
  }
}

function isSame({ metaBytes, metaStart, metaEnd }: FrameInPlace, other: Uint8Array): boolean {
  if (metaEnd - metaStart !== other.length) return false;
  for (let i = 0; i < other.length; i++) if (metaBytes[metaStart + i] !== other[i]) return false;
  return true;
}
