interface Link<Item> {
  readonly item: Item;
  next: Link<Item> | undefined;
}

/** Items in their order. No array: stubs on Array.prototype, as of tests, would lose some. */
export class Queue<Item> {
  #first: Link<Item> | undefined;
  #last: Link<Item> | undefined;

  get first(): Item | undefined {
    return this.#first?.item;
  }

  push(item: Item): void {
    const link = { item, next: undefined };
    if (this.#last) this.#last.next = link;
    else this.#first = link;
    this.#last = link;
  }

  /** Takes the first. */
  shift(): Item | undefined {
    const link = this.#first;
    this.#first = link?.next;
    if (!this.#first) this.#last = undefined;
    return link?.item;
  }
}
