import { randomBytes } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { basename, posix, resolve } from "node:path";
import type { LambdaRuntime } from "../protocol/message.ts";
import type { Generation } from "./generation.ts";
import type { Settings } from "./options.ts";

/**
 * What Lambda handlers see of their function in `context` and in environment variables. A variable
 * in the option `env` wins; one that this process has itself is kept where the option is not set.
 */
export interface LambdaOptions {
  /** `context.functionName`. Default: the name of the workers' folder. */
  readonly functionName?: string | undefined;
  /** `context.functionVersion`. Default: `$LATEST`. */
  readonly functionVersion?: string | undefined;
  /** `context.memoryLimitInMB`; it limits nothing. Default: 128. */
  readonly memorySize?: number | undefined;
  /**
   * `context.invokedFunctionArn` of invocations that bring none. Default: one of account
   * 000000000000, made of `region`, or us-east-1, and `functionName`.
   */
  readonly functionArn?: string | undefined;
  /** `context.logGroupName`. Default: `/aws/lambda/` and `functionName`. */
  readonly logGroup?: string | undefined;
  /** `context.logStreamName`. Default: one for each worker. */
  readonly logStream?: string | undefined;
  /** AWS_REGION and AWS_DEFAULT_REGION. Default: they stay as they are. */
  readonly region?: string | undefined;
  /**
   * Whose rules hold: `nodejs22.x`, by which handlers may call back, or `nodejs24.x`, by which only
   * promises and returned values count. Default: `nodejs22.x`. AWS_EXECUTION_ENV names it, unless it
   * is not set and this process has such a variable: then handlers see that, and the rules are those
   * of the default.
   */
  readonly runtime?: LambdaRuntime | undefined;
}

/** Options with the defaults that calls need. */
export interface LambdaSettings extends LambdaOptions {
  readonly functionName: string;
  readonly functionArn: string;
  readonly runtime: LambdaRuntime;
  /** AWS_EXECUTION_ENV. */
  readonly executionEnv: string;
}

type Environment = Record<string, string | undefined>;

/** Tells a handler string, whose last part is MODULE.FUNCTION, from the path of a file that is missing. */
export function isHandler(entry: string): boolean {
  return posix.basename(entry).includes(".") && !/\.[cm]?[jt]sx?$/.test(entry);
}

/**
 * The file or folder that Lambda loads for a handler string, without symlinks; undefined if there is
 * none, or none that may be loaded, which the worker says better.
 */
export function handlerModule(dir: string, handler: string): string | undefined {
  if (handler.includes("..")) return undefined;
  const name = posix.basename(handler);
  const [module = ""] = name.split(".", 1);
  const path = resolve(dir, handler.slice(0, handler.length - name.length), module);
  const found = ["", ".js", ".mjs", ".cjs"].find((extension) => existsSync(path + extension));
  return found === undefined ? undefined : realpathSync(path + found);
}

/** Fills in what invocations bring. `dir` is the workers' folder. */
export function settleLambda(
  lambda: LambdaOptions,
  around: Pick<Settings, "env" | "replaceEnv">,
  dir: string,
): LambdaSettings {
  const choose = chooser(around);
  const folder = basename(resolve(dir));
  const functionName = choose("AWS_LAMBDA_FUNCTION_NAME", lambda.functionName) ?? folder;
  const region = choose("AWS_REGION", lambda.region) ?? "us-east-1";
  const arn = `arn:aws:lambda:${region}:000000000000:function:${functionName}`;
  const { functionArn = arn, runtime = "nodejs22.x" } = lambda;
  const named = `AWS_Lambda_${runtime}`;
  const executionEnv = choose("AWS_EXECUTION_ENV", lambda.runtime && named) ?? named;
  return { ...lambda, functionName, functionArn, runtime, executionEnv };
}

/** The variables that Lambda sets for a worker, and those that the user does. */
export function lambdaEnvironment(settings: Settings, { dir }: Generation): Environment {
  const { lambda, handler, env } = settings;
  const choose = chooser(settings);
  const version = choose("AWS_LAMBDA_FUNCTION_VERSION", lambda.functionVersion) ?? "$LATEST";
  const variables: Environment = {
    LAMBDA_TASK_ROOT: dir,
    AWS_EXECUTION_ENV: lambda.executionEnv,
    TZ: ":UTC",
    LANG: "en_US.UTF-8",
    AWS_LAMBDA_FUNCTION_NAME: lambda.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: version,
    ...(handler === undefined ? {} : { _HANDLER: handler }),
    ...(lambda.region === undefined ? {} : regionOf(lambda.region)),
  };
  const others = [
    ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE", lambda.memorySize?.toString(), "128"],
    ["AWS_LAMBDA_LOG_GROUP_NAME", lambda.logGroup, `/aws/lambda/${lambda.functionName}`],
    ["AWS_LAMBDA_LOG_STREAM_NAME", lambda.logStream, logStream(version)],
    ["AWS_LAMBDA_INITIALIZATION_TYPE", undefined, "on-demand"],
    ["AWS_XRAY_CONTEXT_MISSING", undefined, "LOG_ERROR"],
  ] as const;
  for (const [name, option, fallback] of others) variables[name] = choose(name, option) ?? fallback;
  return { ...variables, ...env };
}

/** Finds what a variable is to be: the user's, the option's, or that which is there. */
function chooser({ env, replaceEnv }: Pick<Settings, "env" | "replaceEnv">) {
  const inherited: Environment = replaceEnv ? {} : process.env;
  return (name: string, option: string | undefined): string | undefined =>
    env[name] ?? option ?? inherited[name];
}

function regionOf(region: string): Environment {
  return { AWS_REGION: region, AWS_DEFAULT_REGION: region };
}

/** Named as Lambda does for each environment. */
function logStream(version: string): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  return `${day}/[${version}]${randomBytes(16).toString("hex")}`;
}
