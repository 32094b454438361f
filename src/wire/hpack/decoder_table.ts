/** The dynamic table as a decoder sees it (RFC 7541 §2.3.2): a ring of entries, newest first in index order. */
import { DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD } from "./static_table.ts";

/** Slots of a ring that has entries; it doubles up to what its byte limit allows. */
const FIRST_SLOTS = 16;

export class DecoderTable {
  /** Grows with every change: what was decoded with references into the table holds only while it stays. */
  epoch = 0;
  /** Entries held. */
  count = 0;
  #names: string[] = [];
  #values: string[] = [];
  #classes: number[] = [];
  #slots = 0;
  /** Slot of the next entry. */
  #head = 0;
  #bytes = 0;
  /** Entries added since the start. */
  #added = 0;
  #maxBytes = DEFAULT_TABLE_BYTES;

  /** Name of entry `i`, 0 being the newest; i < count. */
  name(i: number): string {
    return this.#names[(this.#head - 1 - i) & (this.#slots - 1)] as string; // i < count
  }

  /** Value of entry `i`. */
  value(i: number): string {
    return this.#values[(this.#head - 1 - i) & (this.#slots - 1)] as string; // i < count
  }

  /** Class of the name of entry `i` << 4 | class of the field. */
  classes(i: number): number {
    return this.#classes[(this.#head - 1 - i) & (this.#slots - 1)] as number; // i < count
  }

  /** Number of entry `i`, which no other entry has or will have. */
  numberOf(i: number): number {
    return this.#added - i;
  }

  /** Adds an entry, evicting old ones; one larger than the table empties it (RFC 7541 §4.4). */
  add(name: string, value: string, classes: number): void {
    this.epoch++;
    const bytes = name.length + value.length + ENTRY_OVERHEAD;
    this.#evict(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    if (this.count === this.#slots) this.#grow();
    const head = this.#head;
    this.#names[head] = name;
    this.#values[head] = value;
    this.#classes[head] = classes;
    this.#head = (head + 1) & (this.#slots - 1);
    this.#bytes += bytes;
    this.#added++;
    this.count++;
  }

  /** Changes the size limit, in bytes. */
  resize(maxBytes: number): void {
    this.epoch++;
    this.#maxBytes = maxBytes;
    this.#evict(maxBytes);
  }

  #evict(keepBytes: number): void {
    while (this.count > 0 && this.#bytes > keepBytes) {
      const slot = (this.#head - this.count) & (this.#slots - 1);
      const name = this.#names[slot] as string; // an entry is there
      const value = this.#values[slot] as string;
      this.#bytes -= name.length + value.length + ENTRY_OVERHEAD;
      this.#names[slot] = "";
      this.#values[slot] = "";
      this.count--;
    }
  }

  #grow(): void {
    const slots = Math.max(FIRST_SLOTS, this.#slots * 2);
    const names: string[] = [];
    const values: string[] = [];
    const classes: number[] = [];
    for (let i = this.count - 1; i >= 0; i--) {
      names.push(this.name(i));
      values.push(this.value(i));
      classes.push(this.classes(i));
    }
    for (let i = this.count; i < slots; i++) {
      names.push("");
      values.push("");
      classes.push(0);
    }
    this.#names = names;
    this.#values = values;
    this.#classes = classes;
    this.#slots = slots;
    this.#head = this.count;
  }
}
