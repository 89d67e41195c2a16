import {
  type Code,
  describeError,
  type ErrorObject,
  type ThrownObject,
} from "../protocol/error.ts";
import { findIndex, joinTexts, sliceList } from "../protocol/list.ts";
import { hasText, linesOf, startsWith } from "../protocol/methods.ts";

/** The worker's own file, as stacks name it; nothing where the worker runs unbundled. */
const OWN_FILE: string | undefined = typeof __filename === "string" ? __filename : undefined;

/** Describes what user code threw, without the frames of the worker that called it. */
export function describeThrown(thrown: unknown, code?: Code): ErrorObject {
  const error = describeError(thrown, code);
  trim(error);
  return error;
}

function trim(thrown: ThrownObject): void {
  if (thrown.stack !== undefined) thrown.stack = withoutOwnFrames(thrown.stack);
  if (thrown.cause) trim(thrown.cause);
  const { errors = [] } = thrown;
  for (let i = 0; i < errors.length; i++) trim(errors[i] as ThrownObject);
}

/** Below user code come only the worker and Node; an error of the worker itself keeps its stack. */
export function withoutOwnFrames(stack: string): string {
  const lines = linesOf(stack);
  const first = findIndex(lines, isFrame);
  const own = OWN_FILE
    ? findIndex(lines, (line) => isFrame(line) && hasText(line, `${OWN_FILE}:`))
    : -1;
  return own > first ? joinTexts(sliceList(lines, 0, own), "\n") : stack;
}

function isFrame(line: string): boolean {
  return startsWith(line, "    at ");
}
