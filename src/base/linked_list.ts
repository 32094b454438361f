/**
 * A doubly linked list whose links are fields of its items: for what comes and goes as long as the process lives.
 *
 * Not a Set, for what that leaves behind: one that loses and gains entries makes a new table every few of them, and the one
 * before points to it. Once a collection has taken one such table for long-lived, all that follow it stay until the next full
 * collection, and with them the items they held. Here an item that has left points nowhere, and nothing points to it.
 */

/** What can be in one list at a time. Its links are the list's; both null while it is in none. */
export interface Linked<T> {
  before: T | null;
  after: T | null;
}

/** In the order in which they were added. All but `toArray` is constant time, and allocates nothing. */
export class LinkedList<T extends Linked<T>> {
  first: T | null = null;
  last: T | null = null;
  size = 0;

  /** Adds an item as the last one. Does nothing when it is here already; it must not be in another list. */
  add(item: T): void {
    if (this.has(item)) return;
    item.before = this.last;
    if (this.last === null) this.first = item;
    else this.last.after = item;
    this.last = item;
    this.size++;
  }

  /** Takes an item out; does nothing when it is in no list. It must not be in another one. */
  delete(item: T): void {
    if (!this.has(item)) return;
    const { before, after } = item;
    if (before === null) this.first = after;
    else before.after = after;
    if (after === null) this.last = before;
    else after.before = before;
    item.before = null;
    item.after = null;
    this.size--;
  }

  /** Whether an item that is in no other list is in this one. */
  has(item: T): boolean {
    return item.before !== null || this.first === item;
  }

  /** All of them as they are now: to go through while some leave. */
  toArray(): T[] {
    const all: T[] = [];
    for (let item = this.first; item !== null; item = item.after) all.push(item);
    return all;
  }
}
