/**
 * HPACK by the letter of RFC 7541, without a thought for speed: what the mesh's decoder is held against. The Huffman code is taken
 * from the RFC's table in src, which vectors of others check.
 */
import { CODE_BITS, CODES, EOS } from "../../../src/wire/hpack/huffman_code.ts";
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from "../../../src/wire/hpack/static_table.ts";

const ENTRY_OVERHEAD = 32;
const SYMBOLS = new Map(Array.from(CODES, (code, symbol) => [`${CODE_BITS[symbol]}:${code}`, symbol]));

type Field = readonly [name: string, value: string];

export class PlainDecoder {
  readonly #most: number;
  #size: number;
  #table: Field[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** @param maxTableSize what the decoding side allows */
  constructor(maxTableSize: number) {
    this.#most = maxTableSize;
    this.#size = maxTableSize;
  }

  /** @returns the fields, or null when the block is not HPACK */
  decode(bytes: Uint8Array): Field[] | null {
    this.#bytes = bytes;
    this.#at = 0;
    const fields: Field[] = [];
    try {
      while (this.#at < bytes.length) this.#representation(fields);
      return fields;
    } catch (cause) {
      if (cause instanceof RangeError) return null;
      throw cause;
    }
  }

  #representation(fields: Field[]): void {
    const first = this.#bytes[this.#at] ?? 0;
    if ((first & 0x80) !== 0) {
      fields.push(this.#entry(this.#integer(7)));
    } else if ((first & 0xe0) === 0x20) {
      if (fields.length > 0) throw new RangeError("size update behind a field");
      const size = this.#integer(5);
      if (size > this.#most) throw new RangeError("size update beyond the limit");
      this.#size = size;
      this.#evict(0);
    } else {
      const isIndexed = (first & 0xc0) === 0x40;
      const index = this.#integer(isIndexed ? 6 : 4);
      const name = index === 0 ? this.#string() : this.#entry(index)[0];
      const field: Field = [name, this.#string()];
      fields.push(field);
      if (isIndexed) this.#add(field);
    }
  }

  #add(field: Field): void {
    const size = sizeOf(field);
    this.#evict(size);
    if (size <= this.#size) this.#table.unshift(field);
  }

  #evict(room: number): void {
    let used = this.#table.reduce((sum, field) => sum + sizeOf(field), 0);
    while (this.#table.length > 0 && used + room > this.#size) used -= sizeOf(this.#table.pop() as Field); // not empty
  }

  #entry(index: number): Field {
    if (index === 0) throw new RangeError("index 0");
    if (index <= STATIC_ENTRIES) return [STATIC_NAMES[index] ?? "", STATIC_VALUES[index] ?? ""];
    const entry = this.#table[index - STATIC_ENTRIES - 1];
    if (entry === undefined) throw new RangeError("index beyond the table");
    return entry;
  }

  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0;; shift += 7) {
      if (shift > 28) throw new RangeError("integer too long");
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  #string(): string {
    const isCoded = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    if (length > this.#bytes.length - this.#at) throw new RangeError("string beyond the block");
    const raw = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return isCoded ? decodeHuffman(raw) : Buffer.from(raw).toString("latin1");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError("the block ends early");
    return byte;
  }
}

/** Bit by bit. Throws RangeError for what is no Huffman code, also for padding that is not the beginning of EOS. */
export function decodeHuffman(bytes: Uint8Array): string {
  let out = "";
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      bits++;
      const symbol = SYMBOLS.get(`${bits}:${code}`);
      if (symbol === EOS) throw new RangeError("EOS inside a string");
      if (symbol === undefined) {
        if (bits > 30) throw new RangeError("no code");
        continue;
      }
      out += String.fromCharCode(symbol);
      code = bits = 0;
    }
  }
  if (bits > 7 || code !== 2 ** bits - 1) throw new RangeError("padding");
  return out;
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}
