/** Big-endian numbers of frames; callers have checked that the bytes are there. */

/** The 24-bit payload length of the frame header at `at`. */
export function frameLength(buffer: Uint8Array, at: number): number {
  return ((buffer[at] as number) << 16) | ((buffer[at + 1] as number) << 8) | (buffer[at + 2] as number); // see above
}

/** A 32-bit number. */
export function read32(buffer: Uint8Array, at: number): number {
  const high = ((buffer[at] as number) << 24) | ((buffer[at + 1] as number) << 16); // see above
  return (high | ((buffer[at + 2] as number) << 8) | (buffer[at + 3] as number)) >>> 0;
}

/** 31 bits: the first is reserved wherever the RFC has such numbers. */
export function read31(buffer: Uint8Array, at: number): number {
  return read32(buffer, at) & 0x7fff_ffff;
}
