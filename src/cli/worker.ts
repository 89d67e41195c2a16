import { once } from "node:events";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { RootbridgeError } from "../error.ts";
import { locate } from "../generation.ts";
import { type Callee, serveLines } from "../lines.ts";
import { type Options, settle } from "../options.ts";
import { spawnWorker } from "../worker-process.ts";
import type { Arguments } from "./arguments.ts";
import type { Report } from "./report.ts";
import { withHost } from "./session.ts";

/** The first byte of a frame; it occurs in no text. */
const frameStart = 0xff;

/** `rootbridge worker FILE`: answers lines, or lets frames pass through to a worker. */
export async function worker({ options }: Arguments, report: Report): Promise<number> {
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
 * code, is the worker's. The flags of calls have no effect, since the host's hello decides.
 */
async function passFrames(options: Options): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const settings = settle(options);
  const { input, output, exited } = spawnWorker(settings, locate(settings, 1), (line) => {
    stderr.write(`${line}\n`);
  });
  void pipeline(stdin, input).catch(() => undefined); // the worker's end tells the same
  const passed = pipeline(output, stdout, { end: false }).catch(() => undefined);
  const { code, signal } = await exited;
  await passed;
  stdin.destroy();
  if (code !== undefined) return code;
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

/** Lines wait as long as their own timeout lets them. */
const patience = { queueTimeout: 2_147_483_647, inTurn: true };

async function answerLines(options: Options, report: Report): Promise<number> {
  const serve = (callee: Callee): Promise<boolean> =>
    serveLines(callee, process.stdin, process.stdout);
  try {
    const good = await withHost({ ...options, ...patience }, report, serve);
    return good ? 0 : 1;
  } catch (error) {
    if (!(error instanceof RootbridgeError && error.code === "boot_failed")) throw error;
    await serve({ call: () => Promise.reject(error) });
    return 1;
  }
}
