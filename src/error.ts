import { type Code, decodeError, type ErrorObject, type ThrownObject } from "../protocol/error.ts";

export type { Code, ErrorObject, ThrownObject } from "../protocol/error.ts";

/** What an error knows beside its code and message. */
export interface ErrorDetails {
  /** Method of the call; absent for a start. */
  readonly method?: string | undefined;
  /** Process id of the worker concerned. */
  readonly workerPid?: number | undefined;
  /** What the worker last wrote to stderr, console.error included, at most 8 KiB, when it died or did not boot. */
  readonly stderr?: string | undefined;
  readonly cause?: unknown;
}

/**
 * What every function of this package throws for a call or a start that failed.
 *
 * For an `exception` the `cause` is the JavaScript error as it was: name, message, stack, own
 * fields, causes; or the value itself if what was thrown is no Error. Neither the message nor the
 * stack contains arguments, results or environment values; the cause's fields may.
 */
export class RootbridgeError extends Error {
  override readonly name: string = "RootbridgeError";
  /** How the call ended, in one of the protocol's words. */
  readonly code: Code;
  /** Method of the call; absent for a start. */
  declare readonly method?: string;
  /** Process id of the worker concerned. */
  declare readonly workerPid?: number;
  /** What the worker last wrote to stderr, console.error included, at most 8 KiB, when it died or did not boot. */
  declare readonly stderr?: string;
  readonly #object: ErrorObject;

  constructor(object: ErrorObject, details: ErrorDetails = {}) {
    const cause = "cause" in details ? details.cause : thrownOf(object);
    super(messageOf(object, details.method), cause === undefined ? undefined : { cause });
    this.code = object.code;
    if (details.method !== undefined) this.method = details.method;
    if (details.workerPid !== undefined) this.workerPid = details.workerPid;
    if (details.stderr) this.stderr = details.stderr;
    this.#object = object;
  }

  /** The same error for one call among several that it ends. */
  of(method: string): RootbridgeError {
    const { workerPid, stderr } = this;
    const cause = "cause" in this ? { cause: this.cause } : {};
    return new RootbridgeError(this.#object, { method, workerPid, stderr, ...cause });
  }

  /** What a log may hold of it: no fields, values or causes. */
  toLog(): Record<string, unknown> {
    const { code, message, name, stack } = this.#object;
    return { code, message, name, stack, stderr: this.stderr };
  }

  /** The error as the protocol writes it: code, message, name, stack, cause, errors, fields, value. */
  toJSON(): ErrorObject {
    return this.#object;
  }
}

/** What Node prints of any error beside its stack: not the method twice, nor absent details. */
function messageOf(object: ErrorObject, method: string | undefined): string {
  const name = object.name === undefined || object.name === object.message ? [] : [object.name];
  const place = method === undefined ? [] : [method];
  return [...place, object.code, ...name, object.message].join(": ");
}

/** The JavaScript error behind an error object, or undefined where there is none. */
function thrownOf(object: ErrorObject): unknown {
  const thrown = object.stack !== undefined || object.name !== undefined || "value" in object;
  return thrown ? revive(object) : undefined;
}

function revive(object: ThrownObject): unknown {
  if ("value" in object && object.stack === undefined) return object.value;
  const error = object.errors
    ? new AggregateError(object.errors.map(revive), object.message)
    : new Error(object.message);
  for (const [key, value] of Object.entries(object.fields ?? {})) define(error, key, value, true);
  if (object.name !== undefined) define(error, "name", object.name, false);
  define(error, "stack", object.stack ?? `${object.name ?? "Error"}: ${object.message}`, false);
  if (object.cause) define(error, "cause", revive(object.cause), false);
  return error;
}

/** Defines what assignment would not: a field may be called `__proto__`. */
function define(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}

/** Reads what a worker sent. What breaks the protocol becomes a `protocol_error` that says so. */
export function parseError(payload: Uint8Array): ErrorObject {
  try {
    return decodeError(payload);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    return { code: "protocol_error", message: `the worker sent an error that is none: ${reason}` };
  }
}
