// Loaded before all else and importing nothing: until the process listens for SIGUSR2, that signal kills it.

/** The signal by which a worker is asked to have itself replaced. */
export const SIGNAL = "SIGUSR2";

let hasCome = false;
let taker: (() => void) | undefined;

/** Listens from this file's loading on. What comes before there is a taker is only remembered. */
export const onSignal = (): void => {
  if (taker) taker();
  else hasCome = true;
};

/** Hands every signal to `handler` from now on, those that have come already as one. */
export function takeSignals(handler: () => void): void {
  taker = handler;
  if (hasCome) handler();
}

globalThis.process.on(SIGNAL, onSignal);
