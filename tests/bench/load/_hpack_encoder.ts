/**
 * HPACK as clients and servers of gRPC write it (RFC 7541): every field enters the dynamic table, also those that never come
 * again, and strings are Huffman-coded where that is shorter. Ours would be kinder to a decoder than what is met in the field.
 */
import { ByteSink } from "../../../src/base/byte_sink.ts";
import { putInteger, putString } from "../../../src/wire/hpack/primitives.ts";
import {
  DEFAULT_TABLE_BYTES,
  ENTRY_OVERHEAD,
  STATIC_ENTRIES,
  STATIC_INDEX,
  STATIC_NAMES,
  STATIC_VALUES,
} from "../../../src/wire/hpack/static_table.ts";

export type Field = readonly [name: string, value: string];

interface Entry {
  readonly name: string;
  readonly key: string;
  readonly bytes: number;
}

export class GrpcHpackEncoder {
  /** Entries, oldest first; `#first` is the number of the oldest. */
  readonly #entries: Entry[] = [];
  /** Number of the newest entry with a field ("name\0value") or a name. */
  readonly #fields = new Map<string, number>();
  readonly #names = new Map<string, number>();
  #first = 0;
  #bytes = 0;
  #limit = DEFAULT_TABLE_BYTES;
  #announce = false;

  /** Takes the peer's SETTINGS_HEADER_TABLE_SIZE; the default is what is used at most. */
  setTableSize(bytes: number): void {
    const limit = Math.min(bytes, DEFAULT_TABLE_BYTES);
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#announce = true;
    this.#evict();
  }

  /** Appends the block of these fields. */
  encode(fields: readonly Field[], sink: ByteSink): void {
    if (this.#announce) putInteger(sink, 0x20, 0x1f, this.#limit);
    this.#announce = false;
    for (const [name, value] of fields) this.#put(name, value, sink);
  }

  #put(name: string, value: string, sink: ByteSink): void {
    const fixed = STATIC_INDEX.get(name) ?? 0;
    for (let i = fixed; i > 0 && i <= STATIC_ENTRIES && STATIC_NAMES[i] === name; i++) {
      if (STATIC_VALUES[i] === value) return putInteger(sink, 0x80, 0x7f, i);
    }
    const key = `${name}\0${value}`;
    const known = this.#indexOf(this.#fields.get(key));
    if (known > 0) return putInteger(sink, 0x80, 0x7f, known);
    const index = fixed > 0 ? fixed : this.#indexOf(this.#names.get(name));
    putInteger(sink, 0x40, 0x3f, index);
    if (index === 0) putString(sink, name);
    putString(sink, value);
    const number = this.#first + this.#entries.length;
    const bytes = name.length + value.length + ENTRY_OVERHEAD;
    this.#entries.push({ name, key, bytes });
    this.#bytes += bytes;
    this.#fields.set(key, number);
    this.#names.set(name, number);
    this.#evict();
  }

  /** Index of the entry with this number, 0 when it is gone. */
  #indexOf(number: number | undefined): number {
    if (number === undefined || number < this.#first) return 0;
    return STATIC_ENTRIES + this.#entries.length - (number - this.#first);
  }

  #evict(): void {
    while (this.#bytes > this.#limit) {
      const oldest = this.#entries.shift() as Entry; // bytes > 0, so there is one
      this.#bytes -= oldest.bytes;
      if (this.#fields.get(oldest.key) === this.#first) this.#fields.delete(oldest.key);
      if (this.#names.get(oldest.name) === this.#first) this.#names.delete(oldest.name);
      this.#first++;
    }
  }
}
