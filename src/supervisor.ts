import { type Booted, boot } from "./boot.ts";
import { RootbridgeError } from "./error.ts";
import type { Pool, Slot } from "./pool.ts";
import type { Counters } from "./stats.ts";
import type { Surroundings, Worker } from "./worker.ts";

/** First and longest pause before another start, in milliseconds. */
const firstBackoff = 100;
const lastBackoff = 5_000;
/** How long, in milliseconds, a worker must have lived for its death not to count as one of a row. */
const steadyTime = 10_000;
/** How many starts in a row may fail before calls stop waiting for one that succeeds. */
const patience = 3;

/** What a supervisor fills and tells. */
export interface Charge extends Surroundings {
  readonly pool: Pool<Worker>;
  readonly counters: Counters;
  /** Names the functions of the newest worker. */
  onMethods(methods: readonly string[]): void;
}

/** A worker in the pool. */
interface Member {
  readonly worker: Worker;
  readonly slot: Slot<Worker>;
}

/**
 * Keeps one place of a pool filled: starts a worker, and another when that one has died or wants to
 * be replaced, until the host's life ends.
 */
export class Supervisor {
  /** The outcome of the first start. */
  readonly first: Promise<void>;
  /** Settles when the host's life has ended and no worker of this place is left. */
  readonly done: Promise<void>;

  readonly #charge: Charge;
  readonly #first = Promise.withResolvers<void>();
  readonly #leaving = new Set<Promise<void>>();
  #failures = 0;

  constructor(charge: Charge) {
    this.#charge = charge;
    this.first = this.#first.promise;
    this.done = this.#run()
      .then(() => Promise.all(this.#leaving))
      .then(() => undefined);
  }

  async #run(): Promise<void> {
    /** To be drained when its replacement is ready. */
    let leaving: Member | undefined;
    while (await this.#pause()) {
      const booted = await this.#boot();
      if (booted === undefined) continue;
      if (this.#charge.life.aborted) {
        await booted.worker.stop();
        break;
      }
      const began = performance.now();
      const member = this.#admit(booted);
      this.#dismiss(leaving);
      leaving = await this.#watch(member);
      const steady = leaving !== undefined || performance.now() - began >= steadyTime;
      this.#failures = steady ? 0 : this.#failures + 1;
    }
    this.#dismiss(leaving);
  }

  /**
   * Waits before the next start, longer after each failure in a row, with jitter so that workers
   * that died together do not start together. Settles with false when the host's life has ended.
   */
  async #pause(): Promise<boolean> {
    const { life } = this.#charge;
    if (this.#failures < 2 || life.aborted) return !life.aborted; // one death is made good at once
    const wait = Math.min(lastBackoff, firstBackoff * 2 ** (this.#failures - 2));
    await sleep(wait * (0.5 + Math.random() / 2), life);
    return !life.aborted;
  }

  async #boot(): Promise<Booted | undefined> {
    try {
      const booted = await boot(this.#charge);
      this.#first.resolve();
      return booted;
    } catch (error) {
      this.#failures++;
      this.#first.reject(error);
      this.#noteFailure(error as RootbridgeError);
      return undefined;
    }
  }

  #noteFailure(error: RootbridgeError): void {
    const { life, counters, logger, pool } = this.#charge;
    if (life.aborted) return;
    counters.bootFailures++;
    logger.error({ error: error.toLog(), failures: this.#failures }, "a worker did not start");
    if (this.#failures < patience) return;
    const message = `no worker is running, and starting one keeps failing: ${error.message}`;
    const details = { stderr: error.stderr, cause: error };
    pool.break(new RootbridgeError({ code: "worker_unavailable", message }, details));
  }

  /** Lets calls reach a worker. */
  #admit({ worker, methods }: Booted): Member {
    const { pool, counters, logger, settings, onMethods } = this.#charge;
    onMethods(methods);
    counters.boots++;
    logger.debug({ worker: worker.pid, methods: methods.length }, "worker ready");
    const slot = pool.add(worker, settings.concurrency);
    worker.place = {
      drain: () => pool.drain(slot),
      pause: () => pool.pause(slot),
      resume: () => pool.resume(slot),
    };
    return { worker, slot };
  }

  /** Settles when a worker has to be replaced: with it, if it goes on meanwhile. */
  async #watch(member: Member): Promise<Member | undefined> {
    const { worker, slot } = member;
    const { pool, counters, logger, life } = this.#charge;
    const ended = Symbol("ended");
    const reason = await Promise.race([worker.ended.then(() => ended), worker.retired]);
    if (life.aborted) return member;
    counters.restarts++;
    if (reason !== ended) {
      logger.info({ worker: worker.pid, reason }, "worker will be replaced");
      return member;
    }
    pool.remove(slot);
    const error = await worker.epitaph();
    logger.warn({ worker: worker.pid, error: error.toLog() }, "worker ended and will be replaced");
    return undefined;
  }

  /** Lets a worker, if there is one, finish the calls that somebody waits for, and ends it. */
  #dismiss(member: Member | undefined): void {
    if (member === undefined) return;
    this.#charge.pool.drain(member.slot);
    const ending = this.#end(member);
    this.#leaving.add(ending);
    void ending.then(() => this.#leaving.delete(ending));
  }

  async #end({ worker, slot }: Member): Promise<void> {
    const { settings, pool, life } = this.#charge;
    const over = new AbortController();
    const limit = sleep(settings.drainTimeout, AbortSignal.any([life, over.signal]));
    await Promise.race([worker.connection.quiet(), worker.ended, limit]);
    over.abort();
    if (!life.aborted) await worker.stop(); // else the host drains and stops it
    await worker.ended;
    pool.remove(slot);
  }
}

/** Waits for a time in milliseconds, or until the signal aborts. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
  });
}
