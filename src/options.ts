import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { DEFAULT_MAX_PAYLOAD, MAX_MAX_PAYLOAD, MIN_MAX_PAYLOAD } from "../protocol/frame.ts";
import { CONVENTIONS, type Codec, type Convention, LAMBDA_RUNTIMES } from "../protocol/message.ts";
import { RootbridgeError } from "./error.ts";
import { packageOf } from "./generation.ts";
import { isHandler, type LambdaOptions, type LambdaSettings, settleLambda } from "./lambda.ts";
import type { Logger } from "./logger.ts";

/** What `start` needs: one of `entry`, `source` and `command`. Times are in milliseconds. */
export interface Options {
  /**
   * JavaScript or TypeScript file, or package folder, whose exports are called. Symlinks are resolved
   * by `start` and anew by each reload, so that all workers of a generation load the same files.
   * With the convention `lambda` it may be a handler string in place of a file, such as
   * `index.handler` or `src/app.api.orders`, relative to `dir`.
   */
  readonly entry?: string;
  /** Text of an ES module to call in place of a file, at most 1 MiB less what surrounds it in JSON. */
  readonly source?: string;
  /** Program and arguments of a worker of your own, which speaks the protocol on its stdio. */
  readonly command?: readonly string[];
  /**
   * Working directory of the workers. Default: the package of `entry`; without an entry, and with a
   * handler string, the current one.
   */
  readonly dir?: string;
  /** Worker processes, 1 to 1,024. Default: 2, so that one that is stuck leaves another. */
  readonly workers?: number;
  /**
   * Calls that one worker runs at the same time, 1 to 65,536. Default: 16, and 1 with the convention
   * `lambda`.
   */
  readonly concurrency?: number;
  /** Program of Node 18 or later. Default: the Node which runs this host. */
  readonly node?: string;
  /**
   * Arguments for Node itself, such as `--max-old-space-size=256`. What they preload must leave stdin
   * alone, on which the host may speak to the worker.
   */
  readonly nodeArgs?: readonly string[];
  /** Environment added to the host's own. A value of `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Gives workers `env` alone, without the host's environment. Default: false. */
  readonly replaceEnv?: boolean;
  /** Default: `json`; `msgpack` is smaller for bytes inside of values. */
  readonly codec?: Codec;
  /** Calling convention of calls which name none. Default: `value`. */
  readonly convention?: Convention;
  /** What handlers see of their function with the convention `lambda`. */
  readonly lambda?: LambdaOptions;
  /** Longest time of a call which names none, queue included. Default: 30,000. Infinity means no limit. */
  readonly callTimeout?: number;
  /** Longest time from spawn to ready. Default: 30,000. */
  readonly bootTimeout?: number;
  /** Longest wait for a free worker. Default: 10,000. */
  readonly queueTimeout?: number;
  /** Calls that may wait for a free worker; one more is `overloaded`. Default: 1,024. */
  readonly queueLimit?: number;
  /** Time in which a worker with an overdue call must show that its loop still turns. Default: 2,000. */
  readonly killGrace?: number;
  /**
   * Longest wait of `close`, or of a worker's replacement as by a reload, for calls in flight. A call
   * that takes longer on a replaced worker fails with `worker_crashed`. Default: 10,000.
   */
  readonly drainTimeout?: number;
  /** Largest argument or result, in bytes, 1,024 to 1,073,741,824. Default: 33,554,432. */
  readonly maxPayload?: number;
  /**
   * Sends a call to a worker only when its loop has turned since the call before. Code that blocks
   * or ends the process at once then takes no other call along. Costs a ping for each call.
   * Default: false.
   */
  readonly inTurn?: boolean;
  /**
   * Reloads, as `host.reload()` does, when this process gets SIGUSR2. A failure is logged. Signals
   * that come during a reload lead to one more after it. No effect on Windows. Default: false.
   */
  readonly reloadOnSignal?: boolean;
  /**
   * Reloads when a file in the package of `entry` was added, changed or removed, 100 ms after the
   * last of several changes; a failure is logged. Left out are `node_modules`, folders and files
   * whose name begins with a dot, and what symlinks lead to. Meant for development: files that the
   * code itself writes into its package lead to a reload too. Only with `entry`. Default: false.
   */
  readonly watch?: boolean;
  /** Gets the workers' console lines and the host's own. Default: JSON lines on stderr. */
  readonly logger?: Logger;
}

/** Options with every default in place. Paths are absolute, symlinks in them as given. */
export interface Settings {
  readonly entry: string | undefined;
  /** A handler string, in place of an entry. */
  readonly handler: string | undefined;
  readonly source: string | undefined;
  readonly command: readonly string[] | undefined;
  /** Undefined for the package of `entry`. */
  readonly dir: string | undefined;
  readonly workers: number;
  readonly concurrency: number;
  readonly node: string;
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly replaceEnv: boolean;
  readonly codec: Codec;
  readonly convention: Convention;
  readonly lambda: LambdaSettings;
  readonly callTimeout: number;
  readonly bootTimeout: number;
  readonly queueTimeout: number;
  readonly queueLimit: number;
  readonly killGrace: number;
  readonly drainTimeout: number;
  readonly maxPayload: number;
  readonly inTurn: boolean;
  readonly reloadOnSignal: boolean;
  readonly watch: boolean;
}

/** Checks options and fills in defaults. Throws `invalid_argument`. */
export function settle(options: Options): Settings {
  const checked = optionsSchema.safeParse(options);
  if (!checked.success) {
    throw invalid(z.prettifyError(checked.error));
  }
  const { logger: _, entry: given, source, command, concurrency, ...rest } = checked.data;
  if ([given, source, command].filter((way) => way !== undefined).length !== 1) {
    throw invalid("expected exactly one of entry, source and command");
  }
  if (rest.watch && given === undefined) {
    throw invalid("watch: expected entry too, there are no files to watch for source and command");
  }
  const { entry, handler } = told(given, rest.convention);
  const dir = rest.dir ?? (entry === undefined ? "." : undefined);
  return {
    ...rest,
    lambda: settleLambda(rest.lambda, rest, dir ?? packageOf(entry ?? ".")),
    concurrency: concurrency ?? (rest.convention === "lambda" ? 1 : 16),
    entry: absolute(entry),
    handler,
    source,
    command,
    dir: absolute(dir),
  };
}

/** What is there is a file; what is not, and could be one, is a handler string. */
function told(given: string | undefined, convention: Convention) {
  const isFile = given === undefined || existsSync(given);
  if (isFile || convention !== "lambda" || !isHandler(given)) {
    return { entry: given, handler: undefined };
  }
  return { entry: undefined, handler: given };
}

/** Node's timers take no longer time. */
const milliseconds = z.number().min(1).max(2_147_483_647);
const timeout = z.union([milliseconds, z.literal(Number.POSITIVE_INFINITY)]);

const optionsSchema = z.strictObject({
  entry: z.string().min(1).optional(),
  source: z.string().optional(),
  command: z.array(z.string()).min(1).optional(),
  dir: z.string().min(1).optional(),
  workers: z.int().min(1).max(1_024).default(2),
  concurrency: z.int().min(1).max(65_536).optional(),
  node: z.string().min(1).default(process.execPath),
  nodeArgs: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string().optional()).default({}),
  replaceEnv: z.boolean().default(false),
  codec: z.enum(["json", "msgpack"]).default("json"),
  convention: z.enum(CONVENTIONS).default("value"),
  lambda: z
    .strictObject({
      functionName: z.string().min(1).optional(),
      functionVersion: z.string().min(1).optional(),
      memorySize: z.int().min(1).max(1_048_576).optional(),
      functionArn: z.string().min(1).optional(),
      logGroup: z.string().min(1).optional(),
      logStream: z.string().min(1).optional(),
      region: z.string().min(1).optional(),
      runtime: z.enum(LAMBDA_RUNTIMES).optional(),
    })
    .default({}),
  callTimeout: timeout.default(30_000),
  bootTimeout: milliseconds.default(30_000),
  queueTimeout: milliseconds.default(10_000),
  queueLimit: z.int().min(0).default(1_024),
  killGrace: milliseconds.default(2_000),
  drainTimeout: milliseconds.default(10_000),
  maxPayload: z.int().min(MIN_MAX_PAYLOAD).max(MAX_MAX_PAYLOAD).default(DEFAULT_MAX_PAYLOAD),
  inTurn: z.boolean().default(false),
  reloadOnSignal: z.boolean().default(false),
  watch: z.boolean().default(false),
  logger: z.unknown().optional(),
});

/** The program may change its own working directory later. */
function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function invalid(message: string): RootbridgeError {
  return new RootbridgeError({ code: "invalid_argument", message: `options: ${message}` });
}
