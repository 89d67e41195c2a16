import type { FrameInPlace, FrameReader } from "../../protocol/frame.ts";

/** Feeds a piece and hands over the frames that are whole with it. */
export function feed(
  reader: FrameReader,
  piece: Uint8Array,
  onFrame: (frame: FrameInPlace) => void = () => {},
): void {
  reader.feed(piece);
  for (let frame = reader.next(); frame; frame = reader.next()) onFrame(frame);
}
