import type { Host } from "./host.ts";
import type { Options } from "./options.ts";

export type { CallLogger, CurrentCall } from "../protocol/current-call.ts";
export type { Codec, Convention, Invocation, LambdaRuntime } from "../protocol/message.ts";
export { currentCall } from "./call.ts";
export {
  type Code,
  type ErrorDetails,
  type ErrorObject,
  RootbridgeError,
  type ThrownObject,
} from "./error.ts";
export type { Host } from "./host.ts";
export type { LambdaOptions } from "./lambda.ts";
export type { Logger } from "./logger.ts";
export type { Options } from "./options.ts";
export type { CallOptions, Reply } from "./request.ts";
export type { Stats, WorkerStats } from "./stats.ts";

/**
 * Starts workers and settles when the first one has loaded the code. The host's program is loaded
 * by the first start, so that code in workers imports `currentCall` at no cost.
 *
 * Rejects with a RootbridgeError: `boot_failed` when Node or the code can't be run, with the
 * JavaScript error as cause and the worker's stderr; `invalid_argument` for options that can't be
 * used.
 */
export async function start(options: Options): Promise<Host> {
  const { start } = await import("./host.ts");
  return start(options);
}
