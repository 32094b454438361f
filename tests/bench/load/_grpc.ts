/** What gRPC adds to HTTP/2: messages with a prefix of five bytes, methods as paths, a status in the trailers. */
import type { HeaderBlock } from "../../../src/wire/header_block.ts";

/** Payload of every message, bytes. */
export const MESSAGE_BYTES = 100;
/** Messages that one call of Down yields. */
export const DOWN_MESSAGES = 500;
const PREFIX_BYTES = 5;

export const METHODS = {
  unary: "/bench.v1.Echo/Unary",
  server: "/bench.v1.Echo/Down",
  bidi: "/bench.v1.Echo/Both",
} as const;
export type GrpcMode = keyof typeof METHODS;

/** A length-prefixed message, not compressed. */
export function message(payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(PREFIX_BYTES + payload.length);
  new DataView(out.buffer).setUint32(1, payload.length);
  out.set(payload, PREFIX_BYTES);
  return out;
}

/** Counts the messages of one stream, however DATA frames cut them. */
export class MessageCounter {
  /** Bytes of the prefix that have come, and of the payload that are to come. */
  #prefix = 0;
  #length = 0;
  #missing = 0;

  /** @returns messages that ended within buf[start, end) */
  feed(buf: Uint8Array, start: number, end: number): number {
    let ended = 0;
    let at = start;
    while (at < end) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, end - at);
        this.#missing -= taken;
        at += taken;
      } else {
        const byte = buf[at++] as number; // at < end
        if (this.#prefix === 0) {
          if (byte !== 0) throw new Error("a compressed message, which nobody asked for");
          this.#length = 0;
        } else this.#length = this.#length * 256 + byte;
        if (++this.#prefix < PREFIX_BYTES) continue;
        this.#prefix = 0;
        this.#missing = this.#length;
      }
      if (this.#missing === 0) ended++;
    }
    return ended;
  }

  /** True between messages. */
  get isWhole(): boolean {
    return this.#prefix === 0 && this.#missing === 0;
  }
}

/** A section that says OK: the trailers, or the only section of a call without messages. */
export function isOk(trailers: HeaderBlock): boolean {
  return trailers.get("grpc-status") === "0";
}
