import { once } from "node:events";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { RootbridgeError } from "../error.ts";
import type { FileWatch } from "../file-watch.ts";
import { type Generation, locate } from "../generation.ts";
import { type Callee, serveLines } from "../lines.ts";
import { type Options, settle } from "../options.ts";
import { onReloadSignal } from "../signal.ts";
import { spawnWorker } from "../worker-process.ts";
import type { Arguments } from "./arguments.ts";
import type { Report } from "./report.ts";
import { withHost } from "./session.ts";

/** The first byte of a frame; it occurs in no text. */
const frameStart = 0xff;

/** `rootbridge worker FILE`: answers lines, or lets frames pass through to a worker. */
export async function worker({ options }: Arguments, report: Report): Promise<number> {
  locate(settle(options), 1); // a FILE that is not there is wrong usage, whatever comes on stdin
  const { stdin } = process;
  const first = await firstByte(stdin);
  if (first === undefined) return 0;
  return first === frameStart ? passFrames(options) : answerLines(options, report);
}

/** Leaves it where it is. */
async function firstByte(input: Readable): Promise<number | undefined> {
  await Promise.race([once(input, "readable"), once(input, "end")]);
  const chunk: Buffer | null = input.read();
  if (chunk === null) return undefined;
  input.unshift(chunk);
  return chunk[0];
}

/**
 * Stands in for the worker that it starts: what the host says and what it hears, down to the exit
 * code, is the worker's. The flags of calls have no effect, since the host's hello decides. A reload
 * is the host's: it replaces the worker, and this process with it, when the worker asks for that.
 */
async function passFrames(options: Options): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const settings = settle(options);
  const generation = locate(settings, 1);
  const watch = settings.watch ? await openWatch(generation) : undefined;
  const child = spawnWorker(settings, generation, (line) => void stderr.write(`${line}\n`));
  void pipeline(stdin, child.input).catch(() => undefined); // the worker's end tells the same
  const passed = pipeline(child.output, stdout, { end: false }).catch(() => undefined);
  // Until its hello Node may die of a signal, and has loaded no code.
  const begun = new Promise((resolve) => child.output.once("data", resolve));
  const ask = (): void => void begun.then(() => child.askForReplacement());
  onReloadSignal(ask);
  if (watch) watch.onChange = ask;
  const { code, signal } = await child.exited;
  await passed;
  await watch?.close();
  stdin.destroy();
  if (code !== undefined) return code;
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

async function openWatch({ packageDir }: Generation): Promise<FileWatch> {
  const { FileWatch } = await import("../file-watch.ts");
  const watch = new FileWatch();
  await watch.aim(packageDir);
  return watch;
}

/**
 * Lines wait as long as their own timeout lets them, and those that run when the code is reloaded
 * finish in as long.
 */
const patience = { queueTimeout: 2_147_483_647, drainTimeout: 2_147_483_647, inTurn: true };

async function answerLines(options: Options, report: Report): Promise<number> {
  const serve = (callee: Callee): Promise<boolean> =>
    serveLines(callee, process.stdin, process.stdout);
  try {
    const lasting = { ...options, ...patience, reloadOnSignal: true };
    const good = await withHost(lasting, report, serve);
    return good ? 0 : 1;
  } catch (error) {
    if (!(error instanceof RootbridgeError && error.code === "boot_failed")) throw error;
    await serve({ call: () => Promise.reject(error) });
    return 1;
  }
}
