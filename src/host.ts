import { RootbridgeError } from "./error.ts";
import type { FileWatch } from "./file-watch.ts";
import { Gate } from "./gate.ts";
import { type Generation, locate } from "./generation.ts";
import { helloOf } from "./hello.ts";
import { guarded, WorkerLog } from "./log.ts";
import type { Logger } from "./logger.ts";
import { type Options, type Settings, settle } from "./options.ts";
import { Pool } from "./pool.ts";
import { Reloader } from "./reload.ts";
import { type CallOptions, Request } from "./request.ts";
import { onReloadSignal } from "./signal.ts";
import { Counters, type Stats } from "./stats.ts";
import { type Charge, Supervisor } from "./supervisor.ts";
import { notBegun, type Worker } from "./worker.ts";

/**
 * Starts workers and settles when the first one has loaded the code.
 *
 * Rejects with a RootbridgeError: `boot_failed` when Node or the code can't be run, with the
 * JavaScript error as cause and the worker's stderr; `invalid_argument` for options that can't be
 * used.
 */
export async function start(options: Options): Promise<Host> {
  const settings = settle(options);
  const logger = guarded(options.logger ?? (await import("./logger.ts")).createLogger());
  const watch = settings.watch ? new (await import("./file-watch.ts")).FileWatch() : undefined;
  const generation = locate(settings, 1);
  await watch?.aim(generation.packageDir); // before the files are loaded
  const host = new Host(settings, generation, logger, watch);
  try {
    await host.ready;
    return host;
  } catch (error) {
    await host.shutdown({ timeout: 0 }).catch(() => undefined);
    throw error;
  }
}

/** One module in a pool of worker processes. `start` makes it, `close` or `shutdown` ends it. */
export class Host {
  /**
   * Settles with the first worker that is ready; rejects when none became ready.
   *
   * @internal
   */
  readonly ready: Promise<void>;

  readonly #settings: Settings;
  readonly #pool: Pool<Worker>;
  readonly #counters = new Counters();
  readonly #life = new AbortController();
  readonly #charge: Charge;
  readonly #supervisors: readonly Supervisor[];
  readonly #reloader: Reloader;
  readonly #watch: FileWatch | undefined;
  readonly #forgetSignal: () => void;
  #methods: readonly string[] = [];
  /** Calls that somebody waits for. */
  #calls = 0;
  readonly #onQuiet: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(settings: Settings, generation: Generation, logger: Logger, watch?: FileWatch) {
    this.#settings = settings;
    this.#pool = new Pool({
      queueLimit: settings.queueLimit,
      queueTimeout: settings.queueTimeout,
      queueFull: () => overloaded(settings),
      queueWait: () => waitedTooLong(settings),
    });
    this.#charge = {
      settings,
      hello: helloOf(settings),
      logger,
      log: new WorkerLog(logger),
      life: this.#life.signal,
      pool: this.#pool,
      counters: this.#counters,
      spare: new Gate(1),
      lingering: new Gate(settings.workers),
      generation,
      refused: false,
      onMethods: (methods: readonly string[]) => {
        this.#methods = [...methods].sort();
      },
    };
    this.#supervisors = Array.from(
      { length: settings.workers },
      () => new Supervisor(this.#charge),
    );
    this.ready = firstReady(this.#supervisors);
    this.#reloader = new Reloader({
      charge: this.#charge,
      supervisors: this.#supervisors,
      onLocated: async ({ packageDir }) => watch?.aim(packageDir),
    });
    this.#watch = watch;
    this.#forgetSignal = this.#reloadUnasked(logger);
  }

  /** Functions that the code exports, sorted, nested ones with dots. Others may be callable too. */
  get methods(): readonly string[] {
    return this.#methods;
  }

  /**
   * Calls an exported function and settles with its result.
   *
   * `data` is a value of the codec; a Buffer, typed array or ArrayBuffer arrives as a Buffer, and
   * `undefined` means no argument. Bytes come back as a Buffer. Rejects with a RootbridgeError, with
   * any code but `boot_failed`.
   */
  async call<Result = unknown>(
    method: string,
    data?: unknown,
    options: CallOptions = {},
  ): Promise<Result> {
    try {
      const result = await this.#run(new Request(this.#settings, method, data, options));
      this.#counters.succeeded++;
      return result as Result;
    } catch (error) {
      if (!(error instanceof RootbridgeError)) throw error;
      this.#counters.countFailure(error.code);
      throw error.of(method); // made here, so that its stack shows who called
    }
  }

  /**
   * Replaces all workers by ones that load the files as they are now. Settles when every worker that
   * takes calls is a new one; old ones may still finish their calls. No call fails for it but one
   * that takes longer than the option `drainTimeout` to finish: that one with `worker_crashed`. One
   * reload runs at a time: whoever asks meanwhile gets the one after it, with all others who do.
   *
   * A first worker shows that the new code loads. Where it does not, nothing changes for the calls,
   * and the promise rejects with `boot_failed`, with the JavaScript error as cause and the worker's
   * stderr. It rejects with `closed` when the host is closed, or was.
   */
  reload(): Promise<void> {
    return this.#reloader.reload();
  }

  /** One snapshot. */
  stats(): Stats {
    const { slots, paused, draining, users, queued } = this.#pool.stats();
    const { succeeded, failed, boots, bootFailures, restarts, reloads } = this.#counters;
    const workers = this.#pool.resources();
    return {
      ready: slots,
      suspect: paused,
      draining,
      inFlight: users,
      queued,
      succeeded,
      failed: { ...failed },
      lateReplies: workers.reduce((sum, { connection }) => sum + connection.late, 0),
      boots,
      bootFailures,
      restarts,
      generation: this.#charge.generation.number,
      reloads: { ...reloads },
      workers: workers.map(({ pid, generation, calls, connection }) => ({
        pid,
        generation: generation.number,
        calls,
        inFlight: connection.waiting,
        abandoned: connection.abandoned,
      })),
    };
  }

  /** Shuts the host down within the option `drainTimeout`; see `shutdown`. */
  close(): Promise<void> {
    return this.shutdown({ timeout: this.#settings.drainTimeout });
  }

  /**
   * Takes no further calls, waits for those in flight, at most `timeout` milliseconds (default: as
   * long as they take), and ends the workers: end of stdin, TERM after the option `killGrace`, KILL
   * after another. Settles when no process of the host is left; rejects with `deadline_exceeded`
   * if calls were cut off, which fail with `closed`. Later calls settle like the first one.
   */
  shutdown({ timeout = Number.POSITIVE_INFINITY }: { timeout?: number } = {}): Promise<void> {
    this.#closing ??= this.#shutdown(timeout);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(request: Request): Promise<unknown> {
    this.#calls++;
    try {
      return await this.#exchange(request);
    } finally {
      request.stop();
      this.#calls--;
      this.#tellQuiet();
    }
  }

  /** A call that no worker has begun goes to another. */
  async #exchange(request: Request): Promise<unknown> {
    request.signal.throwIfAborted();
    let lease = await this.#pool.acquire(request.signal);
    for (;;) {
      try {
        return await this.#send(lease.slot.resource, request, lease.release);
      } catch (error) {
        if (error !== notBegun) throw error;
        this.#pool.drain(lease.slot); // the worker is leaving, or gone
      }
      request.signal.throwIfAborted();
      lease = await this.#pool.acquireAgain(request.signal);
    }
  }

  #send(worker: Worker, request: Request, release: () => void): Promise<unknown> {
    if (this.#settings.inTurn) return worker.runInTurn(request, release);
    return worker.run(request, release);
  }

  /** Lets signals and changed files lead to reloads, which tell of their failures in the log. */
  #reloadUnasked(logger: Logger): () => void {
    const reload = (): void => void this.reload().catch(() => undefined);
    if (this.#watch) {
      this.#watch.onChange = reload;
      this.#watch.onError = (error) => {
        logger.warn({ error: String(error) }, "some changes of files may go unseen (option watch)");
      };
    }
    return this.#settings.reloadOnSignal ? onReloadSignal(reload) : () => undefined;
  }

  async #shutdown(timeout: number): Promise<void> {
    this.#pool.close(new RootbridgeError({ code: "closed", message: "the host is closed" }));
    this.#life.abort();
    const idle = Promise.all([this.#watch?.close(), this.#reloader.done()]);
    const drained = await within(timeout, this.#quiet());
    await Promise.all(this.#pool.resources().map((worker) => worker.stop()));
    await Promise.all([idle, ...this.#supervisors.map(({ done }) => done)]);
    this.#forgetSignal();
    if (drained) return;
    const message = `calls were still in flight after ${timeout} ms and were cut off`;
    throw new RootbridgeError({ code: "deadline_exceeded", message });
  }

  /** Settles when nobody waits for a call, and none lasts. */
  async #quiet(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onQuiet.push(resolve);
      this.#tellQuiet();
    });
    await Promise.all(this.#pool.resources().map(({ connection }) => connection.quiet()));
  }

  #tellQuiet(): void {
    if (this.#calls > 0) return;
    for (const tell of this.#onQuiet.splice(0)) tell();
  }
}

async function firstReady(supervisors: readonly Supervisor[]): Promise<void> {
  try {
    await Promise.any(supervisors.map(({ first }) => first));
  } catch (error) {
    throw (error as AggregateError).errors[0];
  }
}

/** Settles with false when the promise has not settled within a time in milliseconds. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(() => true);
  if (milliseconds === Number.POSITIVE_INFINITY) return settled;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  return Promise.race([settled, late]).finally(() => clearTimeout(timer));
}

function overloaded({ queueLimit }: Settings): RootbridgeError {
  const message = `all workers are busy and ${queueLimit} calls are waiting (option queueLimit); try again later, or raise workers or concurrency`;
  return new RootbridgeError({ code: "overloaded", message });
}

function waitedTooLong({ queueTimeout }: Settings): RootbridgeError {
  const message = `no worker was free for ${queueTimeout} ms (option queueTimeout); the call did not run`;
  return new RootbridgeError({ code: "queue_timeout", message });
}
