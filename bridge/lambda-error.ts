import { types } from "node:util";
import { Code, type ErrorObject, textOf } from "../protocol/error.ts";
import type { LambdaRuntime } from "../protocol/message.ts";
import { hasText, sliceText } from "../protocol/methods.ts";
import { addSyntaxPlace } from "./boot-error.ts";
import type { Call } from "./current-call.ts";
import { describeThrown } from "./thrown.ts";

const { isNativeError } = types;

/** What Lambda's own client throws; the name is Lambda's error type. */
export class LambdaError extends Error {
  override readonly name: string;

  constructor(type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = `Runtime.${type}`;
    withoutFrames(this);
  }
}

/** Leaves out where in the worker an error was made, which helps nobody. */
export function withoutFrames<Made extends Error>(error: Made): Made {
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

/** Characters kept of a message: Lambda keeps all. */
const MAX_MESSAGE = 32_768;
/** Lambda's words for an error that can't be read. */
const UNREADABLE = [
  "handled",
  "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
] as const;

/** Describes what a handler threw: the name is Lambda's errorType, the message its errorMessage. */
export function describeLambdaError(thrown: unknown, runtime: LambdaRuntime): ErrorObject {
  const error = describeThrown(thrown);
  const [type, message] = typeAndMessage(thrown, runtime);
  error.name = withoutDelete(type ?? error.name ?? "");
  error.message = withoutDelete(sliceText(message, 0, MAX_MESSAGE));
  return error;
}

/** Lambda's client puts it into a header, which would not take the character. */
function withoutDelete(text: string): string {
  if (!hasText(text, "\x7f")) return text;
  let without = "";
  for (let i = 0; i < text.length; i++) without += text[i] === "\x7f" ? "%7F" : text[i];
  return without;
}

function typeAndMessage(
  thrown: unknown,
  runtime: LambdaRuntime,
): readonly [type: string | undefined, message: string] {
  try {
    const isNew = runtime === "nodejs24.x";
    const isError = isNew ? thrown instanceof Error : isNativeError(thrown) || isErrorLike(thrown);
    if (isError) return readError(thrown as Error, isNew);
    return [typeof thrown, isNew ? String(thrown) : (thrown as object).toString()];
  } catch {
    return UNREADABLE;
  }
}

function isErrorLike(thrown: unknown): boolean {
  if (!thrown) return false;
  const { name, message, stack } = thrown as Error;
  return isFullText(name) && isFullText(message) && isFullText(stack);
}

function isFullText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** What is there must be text; the older client wants a stack, too. */
function readError({ name, message, stack }: Error, isNew: boolean) {
  const hasStack = typeof stack === "string" || (isNew && stack === undefined);
  if (!(hasStack && isTextIfAny(name) && isTextIfAny(message))) return UNREADABLE;
  return [name, message ?? ""] as const;
}

function isTextIfAny(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

/** Throws a TypeError for what can't be made text: Lambda's client prints all that it reports. */
export function refuseTextless(thrown: unknown, runtime: LambdaRuntime): void {
  if (thrown instanceof Error) return;
  if (runtime === "nodejs24.x") String(thrown);
  else `${thrown}`;
}

/** Describes why a handler did not load, with Lambda's type and message. */
export function describeLambdaBootError(
  thrown: unknown,
  runtime: LambdaRuntime,
  entry: string,
  source?: string,
): ErrorObject {
  const error = describeLambdaError(thrown, runtime);
  error.code = Code.BootFailed;
  if (thrown instanceof SyntaxError) {
    addSyntaxPlace(error, entry, source);
    retype(error, "UserCodeSyntaxError", thrown);
  } else if ((thrown as NodeJS.ErrnoException | undefined)?.code === "MODULE_NOT_FOUND") {
    retype(error, "ImportModuleError", thrown);
  }
  return error;
}

function retype(error: ErrorObject, type: string, thrown: unknown): void {
  error.name = `Runtime.${type}`;
  error.message = sliceText(textOf(thrown), 0, MAX_MESSAGE);
}

/** Describes a rejection that nothing handled, as the older client does. */
export function describeUnhandledRejection(reason: unknown): ErrorObject {
  const error = describeThrown(reason);
  error.message = reason === undefined ? "" : sliceText(textOf(reason), 0, MAX_MESSAGE);
  error.name = "Runtime.UnhandledPromiseRejection";
  return error;
}

/** Describes the end of a process whose handler's promise can never settle. */
export function describeNeverSettled({ method }: Call): ErrorObject {
  return {
    code: Code.WorkerCrashed,
    name: "Runtime.NodeJsExit",
    message: `the promise of the handler "${method}" never settled, and nothing is left that could settle it`,
  };
}
