/**
 * Domain names in DNS messages (RFC 1035 §3.1, §4.1.4):
 *
 *   name    label* (0 | pointer)
 *   label   length(1) 1–63, bytes
 *   pointer 11 offset(14), from the start of the message
 */

/** Longest name, bytes on the wire with its lengths (RFC 1035 §2.3.4). */
export const MAX_NAME = 255;
/** Longest label; what is larger is a pointer, or reserved (RFC 6891 §5). */
const MAX_LABEL = 63;
const POINTER = 0xc0;
/** Names begin behind the header of a message: a pointer into it is an attack. */
export const HEADER_BYTES = 12;

/** A name and where it ends. */
export interface ReadName {
  /** Lower case, without the dot at the end; "" is the root. A byte that is in no host name stands as \DDD. */
  readonly name: string;
  /** Offset of the first byte behind it. */
  readonly end: number;
}

/**
 * Reads a name. Pointers must lead to before the part of the name that they end, so that no name is a loop.
 *
 * @param bytes a whole message
 * @param at where the name begins
 * @param mayPoint false where a name must stand in full (RFC 9460 §2.2)
 * @returns null when it is malformed
 */
export function readName(bytes: Uint8Array, at: number, mayPoint = true): ReadName | null {
  let name = "";
  let size = 1;
  let end = -1;
  let part = at;
  for (let i = at;;) {
    const length = bytes[i];
    if (length === undefined) return null;
    if (length === 0) return { name, end: end < 0 ? i + 1 : end };
    if (length >= POINTER) {
      const low = bytes[i + 1];
      if (low === undefined || !mayPoint) return null;
      const to = ((length & 0x3f) << 8) | low;
      if (to >= part || to < HEADER_BYTES) return null;
      if (end < 0) end = i + 2;
      part = i = to;
      continue;
    }
    size += length + 1;
    const next = i + 1 + length;
    if (length > MAX_LABEL || size > MAX_NAME || next > bytes.length) return null;
    if (name !== "") name += ".";
    for (let j = i + 1; j < next; j++) name += TEXT[bytes[j] as number] as string; // in range; a byte
    i = next;
  }
}

/** How each byte of a label is written. */
const TEXT: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const text = String.fromCharCode(byte).toLowerCase();
  return byte < 128 && /^[-a-z0-9_*]$/.test(text) ? text : `\\${String(byte).padStart(3, "0")}`;
});
