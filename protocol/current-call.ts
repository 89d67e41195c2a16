import type { LogLevel } from "./message.ts";

/** What code that runs in a worker may ask of the call that it runs in. */
export interface CurrentCall {
  /** The exported name that was called. */
  readonly method: string;
  /** The caller's trace id, from `trace_id` or else from the W3C `traceparent`. */
  readonly traceId: string | undefined;
  /** The caller's W3C traceparent, as it came: `00-TRACE-PARENT-FLAGS`. Absent if it gave none. */
  readonly traceparent: string | undefined;
  /** When the caller stops waiting; absent if it waits for ever. */
  readonly deadline: Date | undefined;
  /** Aborted when nobody waits any more: its reason is a TimeoutError or an AbortError. */
  readonly signal: AbortSignal;
  /** Writes to the host's log with this call's trace id. */
  readonly logger: CallLogger;
  /** Milliseconds until the deadline, 0 after it, Infinity without one. */
  timeLeft(): number;
}

/** One method per level; `fields` become properties of the log record, an Error among them its stack. */
export type CallLogger = Readonly<
  Record<LogLevel, (message: string, fields?: Record<string, unknown>) => void>
>;
