/** A place in a gate's queue and then inside, given up by `leave`. */
export interface Pass {
  /** Settles once it is inside. */
  readonly entered: Promise<void>;
  leave(): void;
}

/** Lets a bounded number of passes be inside at a time, first in, first out. */
export class Gate {
  readonly #room: number;
  /** In the order of their coming: those inside, then those that wait. */
  readonly #passes = new Set<() => void>();

  constructor(room: number) {
    this.#room = room;
  }

  /** Queues up. */
  pass(): Pass {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#passes.add(resolve);
    this.#admit();
    const leave = (): void => {
      this.#passes.delete(resolve);
      this.#admit();
    };
    return { entered: promise, leave };
  }

  #admit(): void {
    for (const enter of [...this.#passes].slice(0, this.#room)) enter();
  }
}
