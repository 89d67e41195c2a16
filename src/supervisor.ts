import { type Booted, boot } from "./boot.ts";
import { RootbridgeError } from "./error.ts";
import type { Gate, Pass } from "./gate.ts";
import type { Generation } from "./generation.ts";
import type { Pool, Slot } from "./pool.ts";
import type { Counters } from "./stats.ts";
import { firstOf, sleep } from "./wait.ts";
import type { Surroundings, Worker } from "./worker.ts";

/** First and longest pause before another start, in milliseconds. */
const firstBackoff = 100;
const lastBackoff = 5_000;
/** How long, in milliseconds, a worker must have lived for its death not to count as one of a row. */
const steadyTime = 10_000;
/** How many starts in a row may be of no use before calls stop waiting for the next. */
const patience = 3;

/** What a supervisor fills and tells. */
export interface Charge extends Surroundings {
  readonly pool: Pool<Worker>;
  readonly counters: Counters;
  /** Entered by who starts a worker beside one that still takes calls; left when that one does not. */
  readonly spare: Gate;
  /** Entered by replaced workers before they stop taking calls; left at their end. */
  readonly lingering: Gate;
  /** What workers are started with. A reload moves it on. */
  generation: Generation;
  /** True after a reload that failed: the files of the generation may be others than those that run. */
  refused: boolean;
  /** Names the functions of the newest worker. */
  onMethods(methods: readonly string[]): void;
}

/** A worker in the pool. */
interface Member {
  readonly worker: Worker;
  readonly slot: Slot<Worker>;
  /** When it came, as `performance.now()` tells the time. */
  readonly since: number;
}

/**
 * Keeps one place of a pool filled: starts a worker, and another when that one has died or wants to
 * be replaced, until the host's life ends. A reload may put a worker there.
 */
export class Supervisor {
  /** The outcome of the first start. */
  readonly first: Promise<void>;
  /** Settles when the host's life has ended and no worker of this place is left. */
  readonly done: Promise<void>;

  readonly #charge: Charge;
  readonly #first = Promise.withResolvers<void>();
  readonly #leaving = new Set<Promise<void>>();
  #member: Member | undefined;
  /** Why the member is to be replaced, if it is. */
  #reason: string | undefined;
  #failures = 0;
  /** Of the failures, the last ones of workers that have not answered any call. */
  #useless = 0;
  /** Aborted when the present step is overtaken: a worker was put here, or the host's life has ended. */
  #step = new AbortController();

  constructor(charge: Charge) {
    this.#charge = charge;
    charge.life.addEventListener("abort", () => this.#step.abort(), { once: true });
    this.first = this.#first.promise;
    this.done = this.#run();
  }

  /** The worker in this place, if there is one. */
  get worker(): Worker | undefined {
    return this.#member?.worker;
  }

  /**
   * Puts a worker here, in place of the one that is here, which may finish its calls, and of one
   * that is being started. Settles when the old one takes no calls any more.
   */
  adopt(booted: Booted): Promise<void> {
    const old = this.#member;
    this.#admit(booted);
    this.#first.resolve();
    this.#failures = 0;
    this.#useless = 0;
    this.#step.abort();
    return this.#dismiss(old, "was cut off by a reload");
  }

  /** Has this place get a worker of the current generation, however many attempts it takes. */
  renew(): void {
    this.#reason ??= "a reload";
    this.#step.abort();
  }

  async #run(): Promise<void> {
    const { life } = this.#charge;
    while (!life.aborted) {
      this.#step = new AbortController();
      const { signal } = this.#step;
      if (this.#member === undefined || this.#reason !== undefined) await this.#fill(signal);
      else await this.#watch(this.#member, signal);
    }
    void this.#dismiss(this.#member, "was cut off");
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  /** Makes one attempt to start a worker. Until it is ready the one to be replaced stays. */
  async #fill(over: AbortSignal): Promise<void> {
    await this.#pause(over);
    const pass = await this.#overlap(over);
    const booted = over.aborted ? undefined : await this.#boot(over);
    if (booted === undefined || over.aborted) {
      await booted?.worker.stop();
      pass?.leave();
      return;
    }
    const old = this.#member;
    const why = `was cut off when its worker was replaced (${this.#reason})`;
    this.#admit(booted);
    void this.#dismiss(old, why).then(() => pass?.leave());
  }

  /**
   * Waits before the next start, longer after each failure in a row, with jitter so that workers
   * that died together do not start together.
   */
  async #pause(over: AbortSignal): Promise<void> {
    if (this.#failures < 2) return; // one death is made good at once
    const wait = Math.min(lastBackoff, firstBackoff * 2 ** (this.#failures - 2));
    await sleep(wait * (0.5 + Math.random() / 2), over);
  }

  /** Waits until a worker may be started beside the present one, if that one takes calls. */
  async #overlap(over: AbortSignal): Promise<Pass | undefined> {
    if (this.#member === undefined || this.#member.slot.draining) return undefined;
    const pass = this.#charge.spare.pass();
    await firstOf(over, pass.entered, this.#member.worker.ended);
    return pass;
  }

  async #boot(over: AbortSignal): Promise<Booted | undefined> {
    const { life, generation, refused, logger } = this.#charge;
    if (refused) {
      const words = "starting a worker after a failed reload: it may load the files that failed";
      logger.warn({ generation: generation.number }, words);
    }
    try {
      const booted = await boot(this.#charge, generation, over);
      this.#first.resolve();
      return booted;
    } catch (error) {
      if (over.aborted && !life.aborted) return undefined;
      this.#failures++;
      this.#useless++;
      this.#first.reject(error);
      this.#noteFailure(error as RootbridgeError);
      return undefined;
    }
  }

  #noteFailure(error: RootbridgeError): void {
    const { life, counters, logger } = this.#charge;
    if (life.aborted) return;
    counters.bootFailures++;
    logger.error({ error: error.toLog(), failures: this.#failures }, "a worker did not start");
    this.#breakWith(error);
  }

  /** Lets calls fail at once when no worker is there and those that this place had last were of no use. */
  #breakWith(error: RootbridgeError): void {
    if (this.#useless < patience) return;
    const message = `no worker is running, and each one that is started fails soon: ${error.message}`;
    const details = { stderr: error.stderr, cause: error };
    this.#charge.pool.break(new RootbridgeError({ code: "worker_unavailable", message }, details));
  }

  /** Lets calls reach a worker. */
  #admit({ worker, methods }: Booted): void {
    const { pool, counters, logger, settings, onMethods } = this.#charge;
    const generation = worker.generation.number;
    onMethods(methods);
    counters.boots++;
    logger.debug({ worker: worker.pid, generation, methods: methods.length }, "worker ready");
    const slot = pool.add(worker, settings.concurrency);
    worker.place = {
      drain: () => pool.drain(slot),
      pause: () => pool.pause(slot),
      resume: () => pool.resume(slot),
    };
    this.#member = { worker, slot, since: performance.now() };
    this.#reason = undefined;
  }

  /** Settles when the worker has to be replaced, or the step is over. */
  async #watch({ worker, slot, since }: Member, over: AbortSignal): Promise<void> {
    const { pool, counters, logger } = this.#charge;
    const ended = worker.ended.then(() => undefined);
    const reason = await firstOf(over, ended, worker.retired);
    if (over.aborted) return;
    counters.restarts++;
    // One that leaves without being asked to does so because it is about to crash.
    const steady = performance.now() - since >= steadyTime || !slot.draining;
    this.#failures = steady ? 0 : this.#failures + 1;
    this.#useless = steady || worker.served ? 0 : this.#useless + 1;
    this.#reason = reason;
    if (reason !== undefined) {
      logger.info({ worker: worker.pid, reason }, "worker will be replaced");
      if (slot.draining) this.#breakWith(worker.fatal ?? unexplained(reason));
      return;
    }
    this.#member = undefined;
    pool.remove(slot);
    const error = await worker.epitaph();
    this.#noteDeath(worker, error, "worker ended and will be replaced");
    this.#breakWith(error);
  }

  /**
   * Lets a worker, if there is one, finish the calls that somebody waits for, and ends it. Settles
   * when it takes no calls any more.
   */
  #dismiss(member: Member | undefined, why: string): Promise<void> {
    if (member === undefined) return Promise.resolve();
    const pass = this.#charge.lingering.pass();
    const drained = this.#drain(member, pass);
    const gone = drained
      .then(() => this.#end(member, why))
      .finally(() => {
        pass.leave();
        this.#leaving.delete(gone);
      });
    this.#leaving.add(gone);
    return drained;
  }

  async #drain({ worker, slot }: Member, pass: Pass): Promise<void> {
    const { life, pool } = this.#charge;
    if (!slot.draining) await firstOf(life, pass.entered, worker.ended);
    pool.drain(slot);
  }

  async #end({ worker, slot }: Member, why: string): Promise<void> {
    const { settings, pool, life } = this.#charge;
    const { drainTimeout } = settings;
    const over = new AbortController();
    const limit = sleep(drainTimeout, AbortSignal.any([life, over.signal]));
    await Promise.race([worker.quiet(), worker.ended, limit]);
    over.abort();
    const words = `the call ${why}: its worker had ${drainTimeout} ms to finish (option drainTimeout); the function may have run`;
    if (!life.aborted) await worker.cutOff(words); // else the host drains and stops it
    await worker.ended;
    pool.remove(slot);
    if (worker.fatal) this.#noteDeath(worker, worker.fatal, "worker ended");
  }

  #noteDeath({ pid, victims }: Worker, error: RootbridgeError, message: string): void {
    this.#charge.logger.warn({ worker: pid, victims, error: error.toLog() }, message);
  }
}

/** For a worker that leaves before it has said of what it dies. */
function unexplained(reason: string): RootbridgeError {
  return new RootbridgeError({ code: "worker_crashed", message: reason });
}
