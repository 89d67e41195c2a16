import type { Connection } from "./connection.ts";

/** What a probe found out. */
export interface Findings {
  /** The loop turns. */
  alive(): void;
  /** The loop has not turned for the whole grace. */
  blocked(): void;
}

/** Tells a blocked event loop from a slow call, by a ping. One question is under way at a time. */
export class Probe {
  readonly #connection: Connection;
  readonly #grace: number;
  readonly #findings: Findings;
  #asking = false;

  /** `grace` is in milliseconds. */
  constructor(connection: Connection, grace: number, findings: Findings) {
    this.#connection = connection;
    this.#grace = grace;
    this.#findings = findings;
  }

  ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    void this.#connection.ping().then(() => {
      this.#asking = false;
    });
    this.#await();
  }

  #await(): void {
    const { received } = this.#connection;
    setTimeout(() => {
      if (!this.#asking) this.#findings.alive();
      else if (this.#connection.received > received)
        this.#await(); // busy, but getting on
      else this.#findings.blocked();
    }, this.#grace).unref();
  }
}
