import type { Call } from "./current-call.ts";
import { SafeMap } from "./intrinsics.ts";

/** Places to begin with, a power of 2. */
const PLACES = 64;

/**
 * Calls by their ids. Ids ascend, so that nearly every call has a place of its own in a small array; those whose place is
 * taken, which happens behind a call that takes long, are in a map.
 */
export class InFlight {
  /** How many there are. */
  count = 0;
  /** Of a call with an id, if there: the one at id modulo the length, a power of 2. No place is ever a hole. */
  #places: (Call | undefined)[] = emptyPlaces(PLACES);
  readonly #others = new SafeMap<number, Call>();

  /** The call with an id. */
  get(id: number): Call | undefined {
    const call = this.#places[id & (this.#places.length - 1)];
    if (call?.id === id) return call;
    return this.#others.size > 0 ? this.#others.get(id) : undefined;
  }

  /** Takes a call whose id is not in flight. */
  add(call: Call): void {
    if (this.count * 2 >= this.#places.length) this.#grow();
    this.count += 1;
    this.#put(call);
  }

  #put(call: Call): void {
    const place = call.id & (this.#places.length - 1);
    if (this.#places[place]) this.#others.set(call.id, call);
    else this.#places[place] = call;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = emptyPlaces(2 * before.length);
    for (let i = 0; i < before.length; i++) {
      const call = before[i];
      if (call) this.#put(call);
    }
  }

  /** Removes a call that is in flight. */
  remove(call: Call): void {
    this.count -= 1;
    const place = call.id & (this.#places.length - 1);
    if (this.#places[place] === call) this.#places[place] = undefined;
    else this.#others.delete(call.id);
  }
}

function emptyPlaces(length: number): (Call | undefined)[] {
  const places: (Call | undefined)[] = [];
  for (let i = 0; i < length; i++) places[i] = undefined;
  return places;
}
