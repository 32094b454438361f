/** Changes two fields of a protobuf message whose schema is otherwise not needed. */

/** Numbers of the fields. */
export interface Numbers {
  readonly host: number;
  readonly port: number;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The message without the two fields as they were, and with the new ones behind all others. */
export function rewrite(message: Uint8Array, numbers: Numbers, host: string, port: number): Uint8Array {
  const kept: Uint8Array[] = [];
  for (let at = 0; at < message.length;) {
    const start = at;
    const [tag, behindTag] = varint(message, at);
    const field = tag >>> 3;
    at = skip(message, behindTag, tag & 7);
    if (field !== numbers.host && field !== numbers.port) kept.push(message.subarray(start, at));
  }
  const name = Buffer.from(host);
  kept.push(Uint8Array.of(numbers.host << 3 | BYTES, name.length), name);
  kept.push(Uint8Array.of(numbers.port << 3 | VARINT, port & 0x7f | 0x80, port >> 7 & 0x7f | 0x80, port >> 14));
  return Buffer.concat(kept);
}

/** Index behind a value. */
function skip(message: Uint8Array, at: number, type: number): number {
  switch (type) {
    case VARINT:
      return varint(message, at)[1];
    case FIXED64:
      return at + 8;
    case FIXED32:
      return at + 4;
    case BYTES: {
      const [length, next] = varint(message, at);
      return next + length;
    }
    default:
      throw new Error(`protobuf wire type ${type}`);
  }
}

/** Value (its lowest 32 bits) and the index behind it. */
function varint(message: Uint8Array, at: number): [number, number] {
  let value = 0;
  for (let shift = 0, i = at; i < message.length; shift += 7, i++) {
    const byte = message[i] as number; // below the length
    if (shift < 32) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, i + 1];
  }
  throw new Error("a varint without its end");
}
