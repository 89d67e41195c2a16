import { type Booted, boot } from "./boot.ts";
import { type ErrorObject, RootbridgeError } from "./error.ts";
import { type Generation, locate } from "./generation.ts";
import type { Charge, Supervisor } from "./supervisor.ts";
import { firstOf } from "./wait.ts";

/** What a reload works on. */
export interface Fleet {
  readonly charge: Charge;
  readonly supervisors: readonly Supervisor[];
  /** Awaited before the files of a generation are loaded. */
  onLocated(generation: Generation): Promise<void>;
}

/**
 * Replaces all workers by ones that load the files as they are now. Level-triggered: one reload runs
 * and at most one waits, so that whoever asks gets one that begins after the asking.
 */
export class Reloader {
  readonly #fleet: Fleet;
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Rejects with `boot_failed` when the new code does not load, or with `closed`. */
  reload(): Promise<void> {
    if (this.#running === undefined && this.#waiting === undefined) return this.#begin();
    this.#waiting ??= this.done().then(() => {
      this.#waiting = undefined;
      return this.#begin();
    });
    return this.#waiting;
  }

  /** Settles when the reload that runs, if one does, is over. */
  async done(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  #begin(): Promise<void> {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { charge } = this.#fleet;
    const { life, counters, logger } = charge;
    if (life.aborted) throw new RootbridgeError(closed);
    try {
      await this.#replaceAll();
      counters.reloads.succeeded++;
      charge.refused = false;
      logger.info({ generation: charge.generation.number, reload: "succeeded" }, "reloaded");
    } catch (error) {
      if (life.aborted) throw new RootbridgeError(closed);
      counters.reloads.failed++;
      charge.refused = true;
      this.#noteFailure(error as RootbridgeError);
      throw error;
    }
  }

  #noteFailure(error: RootbridgeError): void {
    const { logger, generation } = this.#fleet.charge;
    const fields = { generation: generation.number, reload: "failed", error: error.toLog() };
    const [reason = ""] = error.message.split("\n", 1);
    logger.error(fields, `reload failed, generation ${generation.number} goes on: ${reason}`);
  }

  /** Begins with a canary: until it is ready, nothing changes for the workers there are. */
  async #replaceAll(): Promise<void> {
    const { charge, supervisors } = this.#fleet;
    const next = this.#locate();
    await this.#fleet.onLocated(next);
    const [first, ...others] = [...supervisors].sort(emptyFirst);
    if (first) await this.#replace(first, next);
    let failure: RootbridgeError | undefined;
    for (const supervisor of others) {
      await this.#replace(supervisor, next).catch((error) => {
        failure ??= error;
        supervisor.renew();
      });
    }
    if (charge.life.aborted) throw new RootbridgeError(closed);
    if (failure) throw halfDone(next, failure);
  }

  #locate(): Generation {
    const { settings, generation } = this.#fleet.charge;
    try {
      return locate(settings, generation.number + 1);
    } catch (cause) {
      const message = cause instanceof RootbridgeError ? cause.toJSON().message : String(cause);
      throw new RootbridgeError({ code: "boot_failed", message }, { cause });
    }
  }

  /** Settles when a worker of the new generation takes the calls of a place, and its old one none. */
  async #replace(supervisor: Supervisor, next: Generation): Promise<void> {
    const { charge } = this.#fleet;
    const pass = charge.spare.pass();
    try {
      await firstOf(charge.life, pass.entered);
      if (supervisor.worker?.generation === next) return; // it did so by itself
      const booted = await this.#boot(next);
      charge.generation = next;
      await supervisor.adopt(booted);
    } finally {
      pass.leave();
    }
  }

  async #boot(next: Generation): Promise<Booted> {
    const { charge } = this.#fleet;
    const { life, counters } = charge;
    const booted = await boot(charge, next, life).catch((error) => {
      if (!life.aborted) counters.bootFailures++;
      throw error;
    });
    if (!life.aborted) return booted;
    await booted.worker.stop();
    throw new RootbridgeError(closed);
  }
}

const closed: ErrorObject = {
  code: "closed",
  message: "the host was closed before a reload had ended",
};

/** A canary does the most good where there is no worker. */
function emptyFirst(a: Supervisor, b: Supervisor): number {
  return Number(a.worker !== undefined) - Number(b.worker !== undefined);
}

function halfDone({ number }: Generation, cause: RootbridgeError): RootbridgeError {
  const message = `generation ${number} has taken over, but a worker of it did not start and is tried again: ${cause.toJSON().message}`;
  return new RootbridgeError({ ...cause.toJSON(), message }, { stderr: cause.stderr, cause });
}
