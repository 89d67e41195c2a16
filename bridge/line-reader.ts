import { copyBytes, indexOf, subarray } from "../protocol/methods.ts";
import { Buffer } from "./intrinsics.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Splits a byte stream into lines. */
export class LineReader {
  /** Most bytes of one line. */
  static readonly MAX_LINE: number = 33_554_432;
  readonly #onLine: (line: Uint8Array | undefined) => void;
  /** Pieces of a line whose end has not come. */
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** `onLine` gets each line without its end, valid only during the call; `undefined` for one that is too long. */
  constructor(onLine: (line: Uint8Array | undefined) => void) {
    this.#onLine = onLine;
  }

  /** Reads on. */
  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = indexOf(chunk, NEWLINE); end >= 0; end = indexOf(chunk, NEWLINE, start)) {
      this.#add(subarray(chunk, start, end));
      this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#add(copyBytes(chunk, start));
  }

  /** The input has ended: what is left is a line too. */
  end(): void {
    if (this.#length > 0) this.#finish();
  }

  /** Of a line that is too long only the length is kept. */
  #add(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#length <= LineReader.MAX_LINE) this.#pieces[this.#pieces.length] = piece;
    else this.#pieces = [];
  }

  #finish(): void {
    const tooLong = this.#length > LineReader.MAX_LINE;
    const single = this.#pieces.length === 1 ? this.#pieces[0] : undefined;
    const whole = single ?? Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    this.#onLine(tooLong ? undefined : withoutReturn(whole));
  }
}

function withoutReturn(line: Uint8Array): Uint8Array {
  return line[line.length - 1] === RETURN ? subarray(line, 0, -1) : line;
}
