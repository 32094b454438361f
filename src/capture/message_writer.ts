/**
 * Netlink messages as bytes (linux/netlink.h).
 *
 *     nlmsghdr   length u32 | type u16 | flags u16 | sequence u32 | port id u32      host order
 *     attribute  length u16 | type u16 | value, padded to 4                          host order, length without padding
 *
 * Host order is little endian: Bun runs on x86-64 and arm64 only. nf_tables wants its numbers big endian, hence the
 * two forms of each number.
 */

/** First size of the buffer; it doubles as needed. A batch of capture rules takes about 2 KiB. */
const INITIAL_BYTES = 4096;
/** Largest message or batch: far above what we send, so that a mistake in a loop ends as an error. */
const MAX_BYTES = 1 << 20;
/** Marks an attribute that contains attributes. */
const NLA_F_NESTED = 0x8000;

export class MessageWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(INITIAL_BYTES));
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  /** What was written so far; valid until the next write. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#end);
  }

  /** Starts a message. @returns its place, for `endMessage` */
  beginMessage(type: number, flags: number, sequence: number): number {
    const start = this.#end;
    this.#reserve(16);
    this.#view.setUint16(start + 4, type, true);
    this.#view.setUint16(start + 6, flags, true);
    this.#view.setUint32(start + 8, sequence, true);
    this.#end += 16;
    return start;
  }

  endMessage(start: number): void {
    this.#view.setUint32(start, this.#end - start, true);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#end++] = value;
    return this;
  }

  /** 16 bits in host order. */
  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#end, value, true);
    this.#end += 2;
    return this;
  }

  /** 32 bits in host order. */
  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#end, value >>> 0, true);
    this.#end += 4;
    return this;
  }

  /** 16 bits in network order. */
  u16be(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#end, value);
    this.#end += 2;
    return this;
  }

  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#end);
    this.#end += value.length;
    return this;
  }

  attrBytes(type: number, value: Uint8Array): this {
    this.#reserve(4 + value.length + 3);
    this.#view.setUint16(this.#end, 4 + value.length, true);
    this.#view.setUint16(this.#end + 2, type, true);
    this.#bytes.set(value, this.#end + 4);
    this.#end += align4(4 + value.length); // bytes beyond the end are still zero: the buffer only grows
    return this;
  }

  /** Zero-terminated text. */
  attrText(type: number, text: string): this {
    return this.attrBytes(type, new TextEncoder().encode(`${text}\0`));
  }

  /** 32 bits in host order, as rtnetlink wants them. */
  attrU32(type: number, value: number): this {
    this.#reserve(8);
    this.#view.setUint32(this.#end, 8 | (type << 16), true);
    this.#view.setUint32(this.#end + 4, value >>> 0, true);
    this.#end += 8;
    return this;
  }

  /** 32 bits in network order, as nf_tables wants them. */
  attrU32be(type: number, value: number): this {
    this.#reserve(8);
    this.#view.setUint32(this.#end, 8 | (type << 16), true);
    this.#view.setUint32(this.#end + 4, value >>> 0);
    this.#end += 8;
    return this;
  }

  /** Starts an attribute that holds attributes. @returns its place, for `endNested` */
  beginNested(type: number): number {
    const start = this.#end;
    this.#reserve(4);
    this.#view.setUint16(start + 2, type | NLA_F_NESTED, true);
    this.#end += 4;
    return start;
  }

  endNested(start: number): void {
    this.#view.setUint16(start, this.#end - start, true);
    const end = align4(this.#end);
    this.#reserve(end - this.#end);
    this.#end = end;
  }

  #reserve(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    if (needed > MAX_BYTES) throw new RangeError(`netlink message: ${needed} bytes, want at most ${MAX_BYTES}`);
    let size = this.#bytes.length;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(new ArrayBuffer(size));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The next multiple of four. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}
