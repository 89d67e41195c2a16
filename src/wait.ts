/** Waits for a time in milliseconds, or until the signal aborts. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
  });
}

/** Settles with the first of the promises, or with undefined when the signal aborts, on which it leaves nothing. */
export async function firstOf<Value>(
  signal: AbortSignal,
  ...promises: readonly Promise<Value>[]
): Promise<Value | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const abort = (): void => aborted.resolve(undefined);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted.promise, ...promises]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
