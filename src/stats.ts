import type { Code } from "./error.ts";

/** A snapshot of a host. The numbers of calls are since `start`. */
export interface Stats {
  /** Workers that take calls. */
  readonly ready: number;
  /** Workers that take none until they show that their event loop turns. */
  readonly suspect: number;
  /** Workers that only finish theirs. */
  readonly draining: number;
  /** Calls that workers run, abandoned ones too. */
  readonly inFlight: number;
  /** Calls that wait for a worker. */
  readonly queued: number;
  /** Calls that returned a result. */
  readonly succeeded: number;
  /** Calls that failed, by code; codes without a call are absent. */
  readonly failed: Readonly<Partial<Record<Code, number>>>;
  /** Answers dropped because nobody waited for them any more, from the present workers. */
  readonly lateReplies: number;
  /** Workers that became ready. */
  readonly boots: number;
  /** Workers that did not. */
  readonly bootFailures: number;
  /** Workers that were replaced after they had been ready, other than by a reload. */
  readonly restarts: number;
  /** Generation of the code that new workers load: 1, and one more with each reload whose code loaded. */
  readonly generation: number;
  /** Reloads that have ended, by outcome; those that `close` cut short are not counted. */
  readonly reloads: { readonly succeeded: number; readonly failed: number };
  readonly workers: readonly WorkerStats[];
}

/** A snapshot of one worker. */
export interface WorkerStats {
  readonly pid: number | undefined;
  /** Of the code that it has loaded. */
  readonly generation: number;
  /** Calls sent to it. */
  readonly calls: number;
  /** Calls that somebody waits for. */
  readonly inFlight: number;
  /** Calls that nobody waits for any more and that still run. */
  readonly abandoned: number;
}

/** What a host counts. */
export class Counters {
  succeeded = 0;
  boots = 0;
  bootFailures = 0;
  restarts = 0;
  readonly reloads = { succeeded: 0, failed: 0 };
  readonly failed: Partial<Record<Code, number>> = {};

  countFailure(code: Code): void {
    this.failed[code] = (this.failed[code] ?? 0) + 1;
  }
}
