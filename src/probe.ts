import type { Connection } from "./connection.ts";

/** What a probe tells. */
export interface Findings {
  /** The loop turns. */
  alive(): void;
  /** The loop has not turned for the whole grace. Returns true if that is all right, to be told again after another. */
  blocked(): boolean;
}

/** Tells a blocked event loop from a slow call, by a ping. One question is under way at a time. */
export class Probe {
  readonly #connection: Connection;
  readonly #grace: number;
  #timer: NodeJS.Timeout | undefined;

  /** `grace` is in milliseconds. */
  constructor(connection: Connection, grace: number) {
    this.#connection = connection;
    this.#grace = grace;
  }

  /** True from a question until its answer. */
  get asking(): boolean {
    return this.#timer !== undefined;
  }

  /** Asks, and tells the answer. */
  ask(findings: Findings): void {
    this.#wait(findings);
    void this.#connection.ping().then(() => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      findings.alive();
    });
  }

  #wait(findings: Findings): void {
    const { answers } = this.#connection;
    this.#timer = setTimeout(() => {
      const getsOn = this.#connection.answers !== answers;
      if (getsOn || findings.blocked()) this.#wait(findings);
    }, this.#grace);
  }
}
