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
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#add(Buffer.from(chunk.subarray(start)));
  }

  /** The input has ended: what is left is a line too. */
  end(): void {
    if (this.#length > 0) this.#finish();
  }

  /** Of a line that is too long only the length is kept. */
  #add(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#length <= LineReader.MAX_LINE) this.#pieces.push(piece);
    else this.#pieces = [];
  }

  #finish(): void {
    const [first, ...others] = this.#pieces;
    const tooLong = this.#length > LineReader.MAX_LINE;
    const whole = others.length > 0 ? Buffer.concat(this.#pieces) : (first ?? Buffer.alloc(0));
    this.#pieces = [];
    this.#length = 0;
    this.#onLine(tooLong ? undefined : withoutReturn(whole));
  }
}

function withoutReturn(line: Uint8Array): Uint8Array {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
}
