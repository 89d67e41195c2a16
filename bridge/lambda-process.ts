import type { ErrorObject } from "../protocol/error.ts";
import type { LambdaRuntime } from "../protocol/message.ts";
import { nativeProcess } from "./intrinsics.ts";
import { describeLambdaError, describeUnhandledRejection } from "./lambda-error.ts";
import { provideAwslambda } from "./lambda-stream.ts";

/** Lambda's exit codes. */
const UNHANDLED_REJECTION = 128;
const UNCAUGHT_EXCEPTION = 129;

/**
 * Makes of this process what a handler finds on Lambda, before it is loaded. `onCaught` is told of an error that nothing else
 * caught, with the code that Lambda's process would end with. Code that removes the listeners keeps Node's semantics.
 */
export function becomeLambda(
  runtime: LambdaRuntime,
  onCaught: (error: ErrorObject, exitCode: number) => void,
): void {
  provideAwslambda();
  if (runtime === "nodejs24.x") return; // whose client catches nothing
  nativeProcess.on("uncaughtException", (error) => {
    onCaught(describeLambdaError(error, runtime), UNCAUGHT_EXCEPTION);
  });
  nativeProcess.on("unhandledRejection", (reason) => {
    onCaught(describeUnhandledRejection(reason), UNHANDLED_REJECTION);
  });
}
