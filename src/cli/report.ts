import { styleText } from "node:util";
import { type ErrorObject, RootbridgeError, type ThrownObject } from "../error.ts";
import type { Logger } from "../logger.ts";

/** How what goes to stderr is written: for people or for programs. */
export interface Report {
  readonly logger: Logger;
  error(error: unknown): void;
}

/**
 * Text for people. The host's own lines are left out, but for those of reloads that failed and of
 * errors thrown outside of any call: what matters of the others is in the errors.
 */
export const textReport: Report = {
  logger: {
    debug: printLine,
    info: printLine,
    warn: printLine,
    error: printLine,
  },
  error: (error) => print(describeError(error)),
};

/** One JSON object on each line. */
export async function jsonReport(): Promise<Report> {
  const { createLogger } = await import("../logger.ts");
  return {
    logger: createLogger(),
    error: (error) => print(JSON.stringify({ error: objectOf(error) })),
  };
}

/** What a line of the host may be about. */
interface LineFields {
  readonly source?: string;
  readonly reload?: string;
  readonly victims?: number;
  readonly error?: ErrorObject;
}

/** What the code printed has a source; it is shown as it is. */
function printLine({ source, reload, victims, error }: LineFields, message: string): void {
  if (source !== undefined) print(message);
  if (reload === "failed") print(`${label()} ${message}`);
  if (victims === 0 && error?.stack !== undefined) print(describeDeath(error));
}

function print(text: string): void {
  process.stderr.write(`${text}\n`);
}

function label(): string {
  return styleText("red", "error:", { stream: process.stderr });
}

function describeDeath({ code, message, stack }: ErrorObject): string {
  return [`${label()} outside of any call: ${code}: ${message}`, ...frames(stack)].join("\n");
}

function describeError(error: unknown): string {
  if (!(error instanceof RootbridgeError)) return `${label()} ${textOf(error)}`;
  const { stack, cause, errors } = error.toJSON();
  const parts = [`${label()} ${error.message}`, ...frames(stack)];
  return [...parts, ...inner("cause", cause), ...inners(errors)].join("\n");
}

function inners(errors: readonly ThrownObject[] = []): string[] {
  return errors.flatMap((error) => inner("error", error));
}

function inner(label: string, thrown: ThrownObject | undefined): string[] {
  if (thrown === undefined) return [];
  const { name = "Error", message, stack, cause, errors } = thrown;
  const head = `  [${label}] ${name}: ${message}`;
  return [head, ...frames(stack), ...inner("cause", cause), ...inners(errors)];
}

/** The stack's lines below its message. */
function frames(stack = ""): string[] {
  return stack.split("\n").filter((line) => /^\s+at /.test(line));
}

function objectOf(error: unknown): ErrorObject | ThrownObject {
  return error instanceof RootbridgeError ? error.toJSON() : { message: textOf(error) };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
