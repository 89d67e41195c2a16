import { z } from "zod";

/**
 * What only hosts and tools check. Frames' metas and payloads are read by message.ts and error.ts,
 * without zod, because workers read them too.
 */

/** One request of line mode. */
export interface LineRequest {
  method: string;
  /** The argument; absent means none. */
  data?: unknown;
  /** Milliseconds from when the line was read, over 0. */
  timeout?: number;
  trace_id?: string;
}

/** A line of line mode's input. Unknown keys are ignored. */
export const lineRequestSchema: z.ZodType<LineRequest> = z.object({
  method: z.string(),
  data: z.unknown().exactOptional(),
  timeout: z.number().positive().exactOptional(),
  trace_id: z.string().exactOptional(),
});
