import { setIdleTimeout } from "./intrinsics.ts";

/** From the first call on, in milliseconds: the calls that came with it have run by then, too. */
const DELAY = 100;

let keeper: (() => void) | undefined;
let isUsed = false;

/** Has what the worker has compiled kept, once, when calls have run: a moment after the first, or at the worker's end. */
export function keepAfterCalls(keep: () => void): void {
  keeper = keep;
}

/** Says that the first call begins. */
export function noteFirstCall(): void {
  isUsed = true;
  if (keeper) setIdleTimeout(keepOnce, DELAY);
}

/** Says that the worker ends. */
export function noteEnd(): void {
  if (isUsed) keepOnce();
}

function keepOnce(): void {
  const keep = keeper;
  keeper = undefined;
  keep?.();
}
