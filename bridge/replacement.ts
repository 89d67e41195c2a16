import { setIdleTimeout } from "./intrinsics.ts";
import { keepListening } from "./listeners.ts";
import { onSignal, SIGNAL, takeSignals } from "./signal.ts";

/** The shortest time between two requests, in milliseconds. */
const INTERVAL = 1_000;

/** Calls `ask` when SIGUSR2 asks for this worker's replacement: at once if it has done so already. */
export function watchReplacement(ask: () => void): void {
  keepListening(SIGNAL, onSignal);
  takeSignals(paced(ask));
}

/** Calls at once, and then once in each interval: what is asked for meanwhile is done, as one, at its end. */
function paced(call: () => void): () => void {
  let isWaiting = false;
  let isAsked = false;
  const next = (): void => {
    isWaiting = false;
    if (isAsked) request();
  };
  const request = (): void => {
    isAsked = isWaiting;
    if (isWaiting) return;
    isWaiting = true;
    setIdleTimeout(next, INTERVAL);
    call();
  };
  return request;
}
