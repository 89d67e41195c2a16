import { findIndex, hasItem, someItem } from "../protocol/list.ts";
import { apply, defineProperty, nativeProcess } from "./intrinsics.ts";

type Call = (...args: never[]) => unknown;
type Listener = (...args: never[]) => void;

const addListener: Call = nativeProcess.on;
const removeListener: Call = nativeProcess.removeListener;
const rawListeners = nativeProcess.rawListeners as (event: string) => unknown[];
const removeAllListeners: Call = nativeProcess.removeAllListeners;

interface Kept {
  event: string;
  listener: Listener;
}

/** Listeners of the process that stay. */
const kept: Kept[] = [];

/** Listens to an event of the process even after user code has removed all listeners, which some clean-up code does. */
export function keepListening(event: string, listener: Listener): void {
  if (kept.length === 0) watchRemovals();
  kept[kept.length] = { event, listener };
  add(event, listener);
}

/** Where process.emit, which Node tells of it, is user code's and throws, the listener stays. */
export function stopListening(event: string, listener: Listener): void {
  try {
    apply(removeListener, nativeProcess, [event, listener] as never);
  } catch {
    // A listener that is not removed must not mind.
  }
}

function add(event: string, listener: Listener): void {
  if (hasItem(listenersOf(event), listener)) return;
  apply(addListener, nativeProcess, [event, listener] as never);
}

function addAgain({ event, listener }: Kept): void {
  add(event, listener);
}

function listenersOf(event: string): unknown[] {
  return apply(rawListeners, nativeProcess, [event]);
}

function watchRemovals(): void {
  defineProperty(nativeProcess, "removeAllListeners", {
    value: function (this: unknown, ...args: unknown[]): unknown {
      if (this === nativeProcess && isKept(args[0])) return removeOthers(args[0] as string);
      const result = apply(removeAllListeners, this, args as never);
      for (let i = 0; i < kept.length; i++) addAgain(kept[i] as Kept);
      return result;
    },
    writable: true,
    configurable: true,
  });
}

function isKept(event: unknown): boolean {
  return someItem(kept, (one) => one.event === event);
}

/** A signal without a listener kills, were it for a moment: so what stays is never removed. */
function removeOthers(event: string): unknown {
  const listeners = listenersOf(event);
  for (let i = listeners.length - 1; i >= 0; i--) {
    const listener = listeners[i];
    if (findIndex(kept, (one) => one.event === event && one.listener === listener) >= 0) continue;
    apply(removeListener, nativeProcess, [event, listener] as never);
  }
  return nativeProcess;
}
