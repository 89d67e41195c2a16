import {
  type Code,
  describeError,
  type ErrorObject,
  type ThrownObject,
} from "../protocol/error.ts";

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
  for (const error of thrown.errors ?? []) trim(error);
}

/** Below user code come only the worker and Node; an error of the worker itself keeps its stack. */
export function withoutOwnFrames(stack: string): string {
  const lines = stack.split("\n");
  const first = lines.findIndex(isFrame);
  const own = OWN_FILE
    ? lines.findIndex((line) => isFrame(line) && line.includes(`${OWN_FILE}:`))
    : -1;
  return own > first ? lines.slice(0, own).join("\n") : stack;
}

function isFrame(line: string): boolean {
  return line.startsWith("    at ");
}
