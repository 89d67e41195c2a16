import { StringDecoder } from "node:string_decoder";

/** Longest line, in characters; a longer one is handed on in pieces. */
const lineLimit = 32_768;

/** Cuts UTF-8 text that comes in pieces into lines, and hands on those that are not blank, without their ends. */
export class LineCutter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Takes the next piece. */
  write(chunk: Uint8Array): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** Hands on a line whose end has not come. */
  end(): void {
    this.#take(`${this.#decoder.end()}\n`);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#hand(line);
    if (this.#rest.length <= lineLimit) return;
    this.#hand(this.#rest);
    this.#rest = "";
  }

  #hand(line: string): void {
    if (line.trim() !== "") this.#onLine(line.replace(/\r$/, ""));
  }
}
