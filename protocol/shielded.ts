import { withoutPrototype } from "./prototype.ts";

const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const { hasOwn, prototype: objectPrototype } = Object;

type Class = abstract new (...args: never[]) => object;

/** A subclass with its own copy of everything that it inherits: stubs on the prototypes, as of tests, don't reach it. */
export function shielded<Base extends Class>(base: Base): Base {
  const Shielded = class extends (base as unknown as new (first?: unknown) => object) {
    // Without it Node 18 asks Array.prototype how to pass on what it was given.
    constructor(first?: unknown) {
      super(first);
    }
  };
  // With a property deleted V8 keeps them in a table; else each that is added makes a new shape, together 180 KB of garbage.
  delete (Shielded.prototype as { constructor?: unknown }).constructor;
  const itself = { value: Shielded, configurable: true, enumerable: false, writable: true };
  defineProperty(Shielded.prototype, "constructor", withoutPrototype(itself));
  for (let from: object | null = base.prototype; from; from = getPrototypeOf(from)) {
    if (from !== objectPrototype) copyMissing(from, Shielded.prototype);
  }
  return Shielded as unknown as Base;
}

function copyMissing(from: object, to: object): void {
  const keys = ownKeys(from);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as PropertyKey;
    const property = getOwnPropertyDescriptor(from, key);
    if (property && !hasOwn(to, key)) defineProperty(to, key, withoutPrototype(property));
  }
}

/** Maps and sets whose methods stay what they are. Their iterators don't: use forEach. */
export const SafeMap: MapConstructor = shielded(Map);
export const SafeSet: SetConstructor = shielded(Set);
