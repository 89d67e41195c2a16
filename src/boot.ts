import { constants } from "node:os";
import { basename } from "node:path";
import { type ErrorObject, RootbridgeError } from "./error.ts";
import type { Generation } from "./generation.ts";
import { diagnoseNode } from "./node.ts";
import type { Settings } from "./options.ts";
import { sleep } from "./wait.ts";
import { describeExit, type Surroundings, Worker } from "./worker.ts";

/** A worker that has loaded its code. */
export interface Booted {
  readonly worker: Worker;
  readonly methods: readonly string[];
}

/** How many workers in a row may die of SIGUSR2 before there is a pause between starts. */
const hastyStarts = 5;
/** In milliseconds. */
const pauseBetween = 200;

/**
 * Starts a worker of a generation and settles when its code has loaded. It leaves no process when it
 * rejects: with `boot_failed`, or with `closed` when the signal aborts.
 *
 * Node dies of a SIGUSR2 that comes before it can have a handler. Such a death means nothing: another
 * worker is started in its place, though none after `bootTimeout`.
 */
export async function boot(
  around: Surroundings,
  generation: Generation,
  over: AbortSignal,
): Promise<Booted> {
  const lastStart = performance.now() + around.settings.bootTimeout;
  for (let starts = 1; ; starts++) {
    if (over.aborted) throw new RootbridgeError(closed);
    const worker = new Worker(around, generation);
    try {
      return await makeReady(worker, around, over);
    } catch (error) {
      if (!(await diedOfSignal(worker)) || performance.now() > lastStart) throw error;
      if (starts >= hastyStarts) await sleep(pauseBetween, over);
    }
  }
}

async function makeReady(worker: Worker, around: Surroundings, over: AbortSignal): Promise<Booted> {
  const bounds = bound(worker, around.settings, over);
  try {
    worker.connection.hello(around.hello);
    const { methods } = await worker.ready;
    return { worker, methods };
  } catch (error) {
    worker.process.kill("SIGKILL");
    await worker.ended;
    if (bounds.reason?.code === "closed") throw bounds.reason;
    throw await explain(worker, around.settings, error, bounds.reason ?? worker.fatal);
  } finally {
    bounds.end();
  }
}

const closed: ErrorObject = { code: "closed", message: "the host was closed during a start" };

/** Kills a worker that takes too long, or that is not wanted any more. */
function bound(worker: Worker, settings: Settings, over: AbortSignal) {
  const bounds = { reason: undefined as RootbridgeError | undefined, end };
  const stop = (reason: ErrorObject): void => {
    bounds.reason = new RootbridgeError(reason);
    worker.process.kill("SIGKILL");
  };
  const timer = setTimeout(() => stop(tooSlow(worker, settings)), settings.bootTimeout);
  const close = (): void => stop(closed);
  over.addEventListener("abort", close, { once: true });
  function end(): void {
    clearTimeout(timer);
    over.removeEventListener("abort", close);
  }
  return bounds;
}

/** A shell in front of a worker turns a signal into an exit code. */
async function diedOfSignal({ process }: Worker): Promise<boolean> {
  const { code, signal } = await process.exited;
  return signal === "SIGUSR2" || code === 128 + constants.signals.SIGUSR2;
}

function tooSlow(worker: Worker, settings: Settings): ErrorObject {
  const hint = worker.hello
    ? "; its code did not finish loading: look for a top-level await or a loop that does not end"
    : "";
  const message = `${nameOf(worker, settings)} was not ready within ${settings.bootTimeout} ms (option bootTimeout) and was killed${hint}`;
  return { code: "boot_failed", message };
}

/** Says why a worker did not become ready. To be asked after its end. */
async function explain(
  worker: Worker,
  settings: Settings,
  error: unknown,
  told: RootbridgeError | undefined,
): Promise<RootbridgeError> {
  const details = { workerPid: worker.pid, stderr: worker.process.stderrTail() };
  if (told) return new RootbridgeError({ ...told.toJSON(), code: "boot_failed" }, details);
  const message =
    error instanceof RootbridgeError && error.code === "worker_crashed"
      ? await describeEnd(worker, settings)
      : `${nameOf(worker, settings)} did not start as the protocol describes: ${messageOf(error)}`;
  return new RootbridgeError({ code: "boot_failed", message }, { ...details, cause: error });
}

/** Looks for a reason beyond the worker's own words. */
async function describeEnd(worker: Worker, settings: Settings): Promise<string> {
  if (settings.command === undefined && worker.hello === undefined) {
    const unfit = await diagnoseNode(settings.node);
    if (unfit !== undefined) return unfit;
  }
  const end = describeExit(await worker.process.exited);
  const last = lastWords(worker.process.stderrTail());
  const words = last === "" ? "" : `; its last words: ${last}`;
  return `${nameOf(worker, settings)} ended before it was ready (${end})${words}`;
}

/** Names the program that was started. */
function nameOf({ generation: { entry } }: Worker, { command, handler }: Settings): string {
  if (command?.[0] !== undefined) return basename(command[0]);
  if (handler !== undefined) return `the worker of ${handler}`;
  return entry === undefined ? "the worker of option source" : `the worker of ${entry}`;
}

/** How runtimes begin what they say of an error. */
const errorLine = /^.*\b\w*(?:Error|Exception)\b.*$/gm;

/** The last line that names an error, else the last three that say anything. */
function lastWords(text: string): string {
  const named = text.match(errorLine)?.at(-1);
  if (named !== undefined) return named.trim();
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-3).join("\n");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
