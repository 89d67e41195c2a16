import { existsSync } from "node:fs";
import { posix, resolve } from "node:path";
import type { LambdaRuntime } from "../protocol/message.ts";
import { withoutPrototype } from "../protocol/prototype.ts";
import { Module, nativeProcess } from "./intrinsics.ts";
import { LambdaError } from "./lambda-error.ts";
import { type Loaded, loadHandlerFile } from "./loader.ts";

/** A Lambda handler. */
export type Handler = (...args: unknown[]) => unknown;

/** What a handler string names, and the module that it is of. */
export interface LoadedHandler extends Loaded {
  handler: Handler;
}

/** What `this` is in a handler, on Lambda its client: something that is always the same. */
export const receiver: object = {};

const STREAMING: symbol = Symbol.for("aws.lambda.runtime.handler.streaming");
const REMOVED =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

/**
 * Loads what a handler string such as `src/app.api.orders` names below the working directory, or in a file that the host has
 * found for it. Throws what the code throws, or a LambdaError.
 */
export async function loadHandler(
  text: string,
  file: string | undefined,
  runtime: LambdaRuntime,
): Promise<LoadedHandler> {
  const { root, module, names } = parse(text);
  const { exports } = await loadHandlerFile(file ?? findModule(root, module));
  const handler = find(exports, names, text, runtime);
  checkHandler(handler, runtime);
  return withoutPrototype({ exports, handler });
}

/** To be done before there is user code. */
function parse(text: string): { root: string; module: string; names: string[] } {
  if (text.includes("..")) {
    throw new LambdaError(
      "MalformedHandlerName",
      `'${text}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const name = posix.basename(text);
  const dot = name.indexOf(".");
  if (dot < 0) throw new LambdaError("MalformedHandlerName", "Bad handler");
  const root = text.slice(0, text.indexOf(name));
  return { root, module: name.slice(0, dot), names: name.slice(dot + 1).split(".") };
}

/** Files come first, without and with an extension, then packages. */
function findModule(root: string, module: string): string {
  const folder = nativeProcess.cwd();
  const path = resolve(folder, root, module);
  const extension = ["", ".js", ".mjs", ".cjs"].find((one) => existsSync(path + one));
  if (extension !== undefined) return path + extension;
  return Module._resolveFilename(module, null, false, { paths: [folder, resolve(folder, root)] });
}

/** The newer client looks into a default export, too. */
function find(
  exports: unknown,
  names: readonly string[],
  text: string,
  runtime: LambdaRuntime,
): Handler {
  let found = follow(exports, names);
  if (!found && runtime === "nodejs24.x") found = follow(follow(exports, ["default"]), names);
  if (!found) {
    throw new LambdaError("HandlerNotFound", `${text} is undefined or not exported`);
  }
  if (typeof found !== "function") {
    throw new LambdaError("HandlerNotFound", `${text} is not a function`);
  }
  return found as Handler;
}

function follow(from: unknown, names: readonly string[]): unknown {
  let found: unknown = from;
  for (let i = 0; i < names.length; i++) {
    if (!found) return undefined;
    found = (found as Record<string, unknown>)[names[i] as string];
  }
  return found;
}

/** Throws a LambdaError for a handler that the runtime refuses. */
export function checkHandler(handler: Handler, runtime: LambdaRuntime): void {
  if (!isStreaming(handler) && runtime === "nodejs24.x" && handler.length >= 3) {
    throw new LambdaError("CallbackHandlerDeprecated", REMOVED);
  }
}

/** True for a handler that awslambda.streamifyResponse has marked. Throws a LambdaError for another mark. */
export function isStreaming(handler: Handler): boolean {
  const mark = (handler as unknown as Record<symbol, unknown>)[STREAMING];
  if (!mark) return false;
  if (mark === "response") return true;
  throw new LambdaError("MalformedStreamingHandler", "Only response streaming is supported.");
}

/** Marks a handler: what awslambda.streamifyResponse does. */
export function markStreaming(handler: unknown): unknown {
  (handler as Record<symbol, unknown>)[STREAMING] = "response";
  return handler;
}

/** True for what Lambda's client takes for a promise. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return Boolean(value) && typeof (value as { then?: unknown }).then === "function";
}
