import { basename } from "node:path";
import { type ErrorObject, RootbridgeError } from "./error.ts";
import { checkVersion } from "./hello.ts";
import type { Settings } from "./options.ts";
import { describeExit, type Surroundings, Worker } from "./worker.ts";
import { nodeVersion } from "./worker-process.ts";

/** A worker that has loaded its code. */
export interface Booted {
  readonly worker: Worker;
  readonly methods: readonly string[];
}

/**
 * Starts a worker and settles when its code has loaded. It leaves no process when it rejects: with
 * `boot_failed`, or with `closed` when the host's life ended.
 */
export async function boot(around: Surroundings): Promise<Booted> {
  const worker = new Worker(around);
  const bounds = bound(worker, around);
  try {
    worker.connection.hello(around.hello);
    const { methods } = await worker.ready;
    return { worker, methods };
  } catch (error) {
    worker.process.kill("SIGKILL");
    await worker.ended;
    throw await explain(worker, around.settings, error, bounds.reason ?? worker.fatal);
  } finally {
    bounds.end();
  }
}

/** Kills a worker that takes too long, or whose host is being closed. */
function bound(worker: Worker, { settings, life }: Surroundings) {
  const bounds = { reason: undefined as RootbridgeError | undefined, end };
  const stop = (reason: ErrorObject): void => {
    bounds.reason = new RootbridgeError(reason);
    worker.process.kill("SIGKILL");
  };
  const timer = setTimeout(() => stop(tooSlow(worker, settings)), settings.bootTimeout);
  const close = (): void => stop({ code: "closed", message: "the host was closed during a start" });
  life.addEventListener("abort", close, { once: true });
  function end(): void {
    clearTimeout(timer);
    life.removeEventListener("abort", close);
  }
  return bounds;
}

function tooSlow(worker: Worker, settings: Settings): ErrorObject {
  const hint = worker.hello
    ? "; its code did not finish loading: look for a top-level await or a loop that does not end"
    : "";
  const message = `${nameOf(settings)} was not ready within ${settings.bootTimeout} ms (option bootTimeout) and was killed${hint}`;
  return { code: "boot_failed", message };
}

/** Says why a worker did not become ready. To be asked after its end. */
async function explain(
  worker: Worker,
  settings: Settings,
  error: unknown,
  told: RootbridgeError | undefined,
): Promise<RootbridgeError> {
  if (told?.code === "closed") return told;
  const details = { workerPid: worker.pid, stderr: worker.process.stderrTail() };
  if (told) return new RootbridgeError({ ...told.toJSON(), code: "boot_failed" }, details);
  const message =
    error instanceof RootbridgeError && error.code === "worker_crashed"
      ? await describeEnd(worker, settings)
      : `${nameOf(settings)} did not start as the protocol describes: ${messageOf(error)}`;
  return new RootbridgeError({ code: "boot_failed", message }, { ...details, cause: error });
}

/** Looks for a reason beyond the worker's own words. */
async function describeEnd(worker: Worker, settings: Settings): Promise<string> {
  if (settings.command === undefined && worker.hello === undefined) {
    const unfit = await diagnoseNode(settings.node);
    if (unfit !== undefined) return unfit;
  }
  const end = describeExit(await worker.process.exited);
  const lines = worker.process.stderrTail().trim().split("\n").slice(-3).join("\n");
  const words = lines === "" ? "" : `; its last words: ${lines}`;
  return `${nameOf(settings)} ended before it was ready (${end})${words}`;
}

async function diagnoseNode(node: string): Promise<string | undefined> {
  try {
    checkVersion(node, await nodeVersion(node));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Names the program that was started. */
function nameOf({ command, entry }: Settings): string {
  if (command?.[0] !== undefined) return basename(command[0]);
  return entry === undefined ? "the worker of option source" : `the worker of ${entry}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
