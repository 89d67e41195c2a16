import PQueue from "p-queue";

/** Bounds of a pool. Times are in milliseconds. */
export interface PoolOptions {
  /** Users that may wait at a time. */
  readonly queueLimit: number;
  /** How long each may wait. */
  readonly queueTimeout: number;
  /** Made when one more wants to wait than may. */
  readonly queueFull: () => Error;
  /** Made when one has waited for too long. */
  readonly queueWait: () => Error;
}

/** A snapshot of a pool. */
export interface PoolStats {
  /** Resources that take users, when they have room. */
  readonly slots: number;
  /** Resources that may take users again. */
  readonly paused: number;
  /** Resources that only finish. */
  readonly draining: number;
  readonly users: number;
  readonly queued: number;
}

/** One resource and how many use it. */
export interface Slot<T> {
  readonly resource: T;
  readonly users: number;
  readonly paused: boolean;
  readonly draining: boolean;
}

/** A use of a resource, to be released once. */
export interface Lease<T> {
  readonly slot: Slot<T>;
  release(): void;
}

interface OpenSlot<T> extends Slot<T> {
  readonly capacity: number;
  users: number;
  paused: boolean;
  draining: boolean;
}

/** Who comes first: the higher, and of equal ones who came first. */
const FIRST_TURN = 0;
const AGAIN = 1;

/**
 * Shares resources that each take several users at a time. It hands out the least loaded one and
 * lets a bounded number of users wait, first in, first out. It knows nothing of what a resource is.
 *
 * A task of the queue lasts from a lease to its release. The queue's concurrency is always the room
 * of all resources plus the users of paused and draining ones, so a task starts only where a slot
 * has room.
 */
export class Pool<T> {
  readonly #options: PoolOptions;
  readonly #queue: PQueue = new PQueue({ concurrency: 1, autoStart: false });
  readonly #slots = new Set<OpenSlot<T>>();
  readonly #waiting = new Set<AbortController>();
  #refusal: Error | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Leases the least loaded resource. Rejects with the error of the options, with that given to
   * `break` or `close`, or with the signal's reason.
   */
  acquire(signal: AbortSignal): Promise<Lease<T>> {
    return this.#acquire(signal, FIRST_TURN, this.#options.queueLimit);
  }

  /**
   * The same for a user whose resource was of no use to it: it has waited for its turn, so it comes before
   * all who wait for their first, and is none of `queueLimit`.
   */
  acquireAgain(signal: AbortSignal): Promise<Lease<T>> {
    return this.#acquire(signal, AGAIN, Number.POSITIVE_INFINITY);
  }

  #acquire(signal: AbortSignal, priority: number, limit: number): Promise<Lease<T>> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    return new Promise((resolve, reject) => {
      if (this.#startsAtOnce()) {
        this.#queue.add(() => this.#lend(resolve)).catch(reject);
        return;
      }
      if (this.#leastLoaded() === undefined && this.#waiting.size >= limit) {
        reject(this.#options.queueFull());
        return;
      }
      const wait = this.#wait(signal);
      const task = (): Promise<void> => {
        wait.end();
        return this.#lend(resolve);
      };
      this.#queue.add(task, { signal: wait.signal, priority }).catch((reason) => {
        wait.end();
        reject(reason);
      });
    });
  }

  /** Puts a resource into use for up to `capacity` users at a time, and mends a broken pool. */
  add(resource: T, capacity: number): Slot<T> {
    const slot: OpenSlot<T> = { resource, capacity, users: 0, paused: false, draining: false };
    this.#slots.add(slot);
    if (!this.#closed) this.#refusal = undefined;
    this.#fit();
    return slot;
  }

  /** Keeps new users from a slot until `resume`. */
  pause(slot: Slot<T>): void {
    (slot as OpenSlot<T>).paused = true;
    this.#fit();
  }

  /** Lets new users have a slot again. */
  resume(slot: Slot<T>): void {
    (slot as OpenSlot<T>).paused = false;
    this.#fit();
  }

  /** Takes a slot out of use; its users may finish. */
  drain(slot: Slot<T>): void {
    (slot as OpenSlot<T>).draining = true;
    this.#fit();
  }

  /** Drains a slot and forgets it. Its users release it as usual. */
  remove(slot: Slot<T>): void {
    this.#slots.delete(slot as OpenSlot<T>);
    this.drain(slot);
  }

  /** Fails whoever waits, and until the next `add` whoever comes, unless a resource takes users. */
  break(reason: Error): void {
    if (!this.#closed && [...this.#slots].every((slot) => slot.draining)) this.#refuse(reason);
  }

  /** Fails whoever waits or comes. It does not touch the resources. */
  close(reason: Error): void {
    this.#closed = true;
    this.#refuse(reason);
  }

  /** The resources in the pool, draining ones too. */
  resources(): T[] {
    return [...this.#slots].map((slot) => slot.resource);
  }

  /** One consistent snapshot. */
  stats(): PoolStats {
    const slots = [...this.#slots];
    return {
      slots: slots.filter(isOpen).length,
      paused: slots.filter((slot) => slot.paused && !slot.draining).length,
      draining: slots.filter((slot) => slot.draining).length,
      users: slots.reduce((sum, slot) => sum + slot.users, 0),
      queued: this.#waiting.size,
    };
  }

  #refuse(reason: Error): void {
    this.#refusal = reason;
    for (const wait of this.#waiting) wait.abort(reason);
  }

  #startsAtOnce(): boolean {
    const { isPaused, size, pending, concurrency } = this.#queue;
    return !isPaused && size === 0 && pending < concurrency;
  }

  #leastLoaded(): OpenSlot<T> | undefined {
    let best: OpenSlot<T> | undefined;
    for (const slot of this.#slots) {
      if (!isOpen(slot) || slot.users >= slot.capacity) continue;
      if (best === undefined || slot.users < best.users) best = slot;
    }
    return best;
  }

  /** Ends with the signal, or when the wait has been too long, whatever is first. */
  #wait(signal: AbortSignal): { signal: AbortSignal; end: () => void } {
    const wait = new AbortController();
    const leave = (): void => wait.abort(signal.reason);
    const timer = setTimeout(
      () => wait.abort(this.#options.queueWait()),
      this.#options.queueTimeout,
    );
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.add(wait);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      this.#waiting.delete(wait);
    };
    return { signal: wait.signal, end };
  }

  /** The task of a lease: it ends when the lease is released. */
  #lend(resolve: (lease: Lease<T>) => void): Promise<void> {
    const slot = this.#leastLoaded();
    if (slot === undefined) throw new Error("a task started without room in any slot");
    slot.users++;
    return new Promise((released) => {
      const release = (): void => {
        slot.users--;
        this.#fit();
        released();
      };
      resolve({ slot, release });
    });
  }

  /** Keeps the queue's concurrency true. Without any open slot the queue stands still. */
  #fit(): void {
    const slots = [...this.#slots];
    if (!slots.some(isOpen)) {
      this.#queue.pause();
      return;
    }
    const room = slots.reduce((sum, slot) => sum + (isOpen(slot) ? slot.capacity : slot.users), 0);
    if (this.#queue.concurrency !== room) this.#queue.concurrency = room;
    this.#queue.start();
  }
}

function isOpen(slot: Slot<unknown>): boolean {
  return !(slot.paused || slot.draining);
}
