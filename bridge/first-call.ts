import { setIdleTimeout } from "./intrinsics.ts";
import { keepListening } from "./listeners.ts";

/** From the first call on, in milliseconds: the calls that came with it have run by then, too. */
const DELAY = 100;

let task: (() => void) | undefined;

/** Has a task done once, when calls have run: a moment after the first, or at the worker's end. */
export function onceUsed(callback: () => void): void {
  task = callback;
}

/** Says that the first call begins. */
export function noteFirstCall(): void {
  if (!task) return;
  setIdleTimeout(runTask, DELAY);
  keepListening("exit", runTask);
}

function runTask(): void {
  const once = task;
  task = undefined;
  once?.();
}
