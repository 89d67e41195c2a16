import { Code, type ErrorObject } from "../protocol/error.ts";
import { apply, defineProperty, exitProcess, nativeProcess } from "./intrinsics.ts";
import { keepListening } from "./listeners.ts";
import { describeThrown } from "./thrown.ts";

const { captureStackTrace } = Error;
const { listenerCount, on: addListener, removeListener } = nativeProcess;
/** How long calls may still run after an uncaught error, in milliseconds. */
export const FAILING_GRACE = 1_000;

/** What an ending tells. */
export interface EndingHandlers {
  /** An error that nothing caught, which would end the process now. The process goes on until exitProcess() is called. */
  onFatal(error: unknown, origin: "uncaughtException" | "unhandledRejection"): void;
  /** User code called process.exit, and the process ends when this returns; with the code returned, if any. */
  onExitCalled(call: Error): number | undefined;
  /** The process is ending, however that came. Whatever is still to be said must be written now. */
  onExit(): void;
}

/** Watches for the ways in which user code ends the process. Code with handlers of its own keeps Node's semantics. */
export function watchEndings(handlers: EndingHandlers): void {
  watchExitCalls(handlers);
  guardFatal(handlers);
  keepListening("uncaughtExceptionMonitor", fatalMonitor(handlers));
  keepListening("exit", () => handlers.onExit());
}

/**
 * The monitor sees every fatal error before Node looks for handlers. A handler is added only when user code has none,
 * and only for this one error: so it can neither hide theirs nor be removed with them.
 */
function fatalMonitor(handlers: EndingHandlers) {
  return (_error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void => {
    if (hasHandler()) return;
    const listener = (error: unknown): void => {
      apply(removeListener, nativeProcess, ["uncaughtException", listener]);
      onFatal(handlers, error, origin);
    };
    apply(addListener, nativeProcess, ["uncaughtException", listener]);
  };
}

function hasHandler(): boolean {
  return apply(listenerCount, nativeProcess, ["uncaughtException"]) > 0;
}

/** What Node calls with each fatal error; where it throws, the process ends with 7 and without a word. */
type FatalException = (error: unknown, fromPromise: boolean) => boolean;

/**
 * Node tells of a fatal error through process.emit, which user code may have replaced by one that throws. A handler of
 * user code may throw too: then that is the error to tell.
 */
function guardFatal(handlers: EndingHandlers): void {
  const runtime = nativeProcess as unknown as { _fatalException: FatalException };
  const original = runtime._fatalException;
  const guarded: FatalException = (error, fromPromise) => {
    try {
      return apply(original, nativeProcess, [error, fromPromise]);
    } catch (second) {
      const origin = fromPromise ? "unhandledRejection" : "uncaughtException";
      if (hasHandler()) onFatal(handlers, second, "uncaughtException");
      else onFatal(handlers, error, origin);
      return true;
    }
  };
  defineProperty(runtime, "_fatalException", {
    value: guarded,
    writable: true,
    configurable: true,
  });
}

/** A worker that can't even say why it ends must not stay. */
function onFatal(
  handlers: EndingHandlers,
  error: unknown,
  origin: NodeJS.UncaughtExceptionOrigin,
): void {
  try {
    handlers.onFatal(error, origin);
  } catch {
    exitProcess(1);
  }
}

function watchExitCalls(handlers: EndingHandlers): void {
  let exiting = false;
  const exit = (code?: number | string | null): never => {
    if (exiting) return exitProcess(code as number);
    exiting = true;
    const shown = code ?? nativeProcess.exitCode ?? 0;
    const call = new Error(`process.exit(${shown}) was called`);
    captureStackTrace(call, exit);
    const replaced = handlers.onExitCalled(call);
    handlers.onExit(); // the event for it may not come: process.emit may be user code's
    return exitProcess(replaced ?? (code as number));
  };
  defineProperty(nativeProcess, "exit", {
    value: exit,
    writable: true,
    configurable: true,
    enumerable: true,
  });
}

/** Describes an error that nothing caught. */
export function describeFatal(thrown: unknown, origin: string): ErrorObject {
  const error = describeThrown(thrown, Code.WorkerCrashed);
  const what = origin === "unhandledRejection" ? "unhandled rejection" : "uncaught exception";
  error.message = `${what}: ${error.message}`;
  return error;
}

/** Describes a call of process.exit, with the stack of who called it. */
export function describeExitCall(call: Error, loading: boolean): ErrorObject {
  const error = describeThrown(call, loading ? Code.BootFailed : Code.WorkerCrashed);
  error.message += loading ? " while the code was loading" : " by the code";
  return error;
}
