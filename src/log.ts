import { Encoding, MAX_LOG } from "../protocol/frame.ts";
import type { LogMeta } from "../protocol/message.ts";
import type { Logger } from "./logger.ts";

/** Hands what workers print to the logger. */
export class WorkerLog {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Logs a log frame. A line of a JSON logger keeps its fields. */
  frame(worker: number | undefined, meta: LogMeta, encoding: Encoding, payload: Uint8Array): void {
    const text = decoder.decode(payload.subarray(0, MAX_LOG));
    const { level, source, method, traceId } = meta;
    const about = { worker, source, method, trace_id: traceId };
    const object = encoding === Encoding.Json ? parseObject(text) : undefined;
    if (object === undefined) {
      this.#logger[level](about, text);
      return;
    }
    const { level: _, time, pid, hostname, ...fields } = object;
    this.#logger[level]({ ...about, fields }, takeMessage(fields));
  }

  /** Logs a line of a worker's stderr: what native code, children and Node itself print. */
  stderr(line: string): void {
    this.#logger.warn({ source: "stderr" }, line);
  }

  /** Logs a line that was printed on stdout before the worker took it over. */
  printed(worker: number | undefined, line: string): void {
    this.#logger.info({ worker, source: "stdout" }, line);
  }
}

/** A logger that throws must not end calls, or the program. */
export function guarded(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        logger[level](fields, message);
      } catch {
        // There is nowhere left to say so.
      }
    };
  return {
    debug: guard("debug"),
    info: guard("info"),
    warn: guard("warn"),
    error: guard("error"),
  };
}

const decoder = new TextDecoder();

/** The text of a record, taken out of its fields. A message that is no text stays among them. */
function takeMessage(fields: Record<string, unknown>): string {
  const key = fields["msg"] === undefined ? "message" : "msg";
  const { [key]: message } = fields;
  if (typeof message !== "string") return "";
  delete fields[key];
  return message;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
