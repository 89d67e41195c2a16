import type { CurrentCall } from "../protocol/current-call.ts";

/** Where the worker program puts it for every copy of this package in its process. */
const shared = Symbol.for("rootbridge.currentCall");

/** The call that the running code belongs to; undefined outside of calls and of workers. */
export function currentCall(): CurrentCall | undefined {
  const found: unknown = Reflect.get(globalThis, shared);
  return typeof found === "function" ? found() : undefined;
}
