import { apply, defineProperty, nativeProcess } from "./intrinsics.ts";

type Call = (...args: never[]) => unknown;
type Listener = (...args: never[]) => void;

const addListener: Call = nativeProcess.on;
const removeListener: Call = nativeProcess.removeListener;
const rawListeners = nativeProcess.rawListeners as (event: string) => unknown[];
const removeAllListeners: Call = nativeProcess.removeAllListeners;

/** Listeners of the process that stay. */
const kept: { event: string; listener: Listener }[] = [];

/** Listens to an event of the process even after user code has removed all listeners, which some clean-up code does. */
export function keepListening(event: string, listener: Listener): void {
  if (kept.length === 0) watchRemovals();
  kept.push({ event, listener });
  add(event, listener);
}

function add(event: string, listener: Listener): void {
  if (listenersOf(event).includes(listener)) return;
  apply(addListener, nativeProcess, [event, listener] as never);
}

function listenersOf(event: string): unknown[] {
  return apply(rawListeners, nativeProcess, [event]);
}

function watchRemovals(): void {
  defineProperty(nativeProcess, "removeAllListeners", {
    value: function (this: unknown, ...args: unknown[]): unknown {
      if (this === nativeProcess && isKept(args[0])) return removeOthers(args[0] as string);
      const result = apply(removeAllListeners, this, args as never);
      for (const { event, listener } of kept) add(event, listener);
      return result;
    },
    writable: true,
    configurable: true,
  });
}

function isKept(event: unknown): boolean {
  return kept.some((one) => one.event === event);
}

/** A signal without a listener kills, were it for a moment: so what stays is never removed. */
function removeOthers(event: string): unknown {
  for (const listener of listenersOf(event).reverse()) {
    if (kept.some((one) => one.event === event && one.listener === listener)) continue;
    apply(removeListener, nativeProcess, [event, listener] as never);
  }
  return nativeProcess;
}
