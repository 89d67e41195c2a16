// What lists can do, without the methods and the iterator of Array.prototype, which user code may replace.

/** A list of what `to` makes of each item. */
export function mapList<From, To>(list: readonly From[], to: (item: From) => To): To[] {
  const made: To[] = [];
  for (let i = 0; i < list.length; i++) append(made, to(list[i] as From));
  return made;
}

/** The items that hold, in their order. */
export function filterList<Item>(list: readonly Item[], holds: (item: Item) => boolean): Item[] {
  const kept: Item[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i] as Item;
    if (holds(item)) append(kept, item);
  }
  return kept;
}

/** The items from `start` to before `end`. */
export function sliceList<Item>(
  list: readonly Item[],
  start: number,
  end: number = list.length,
): Item[] {
  const part: Item[] = [];
  for (let i = start; i < end && i < list.length; i++) append(part, list[i] as Item);
  return part;
}

/** Where the first item that holds is; -1 for nowhere. */
export function findIndex<Item>(list: readonly Item[], holds: (item: Item) => boolean): number {
  for (let i = 0; i < list.length; i++) if (holds(list[i] as Item)) return i;
  return -1;
}

/** True where an item holds. */
export function someItem<Item>(list: readonly Item[], holds: (item: Item) => boolean): boolean {
  return findIndex(list, holds) >= 0;
}

/** True where an item is `wanted`. */
export function hasItem(list: readonly unknown[], wanted: unknown): boolean {
  return someItem(list, (item) => item === wanted);
}

/** All texts as one. */
export function joinTexts(texts: readonly string[], between: string): string {
  let joined = "";
  for (let i = 0; i < texts.length; i++) joined += i === 0 ? texts[i] : between + texts[i];
  return joined;
}

/** What push does. */
export function append<Item>(list: Item[], item: Item): void {
  list[list.length] = item;
}
